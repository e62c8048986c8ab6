"""Has tests."""
