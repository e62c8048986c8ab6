"""This module imports; `.broken` does not."""
