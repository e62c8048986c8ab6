"""Speeds up imports."""
