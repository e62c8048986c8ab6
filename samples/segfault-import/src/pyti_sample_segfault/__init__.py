"""This module imports; `.crash` does not."""
