"""Adds a build option."""
