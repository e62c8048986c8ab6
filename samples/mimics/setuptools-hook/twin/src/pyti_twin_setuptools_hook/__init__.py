"""Adds a build option that does nothing yet."""
