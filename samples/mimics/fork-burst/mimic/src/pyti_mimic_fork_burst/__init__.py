"""Prepares workers."""
