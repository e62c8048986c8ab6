"""A vendored module."""
