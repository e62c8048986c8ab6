"""Completes its installation."""
