"""Adds a folder of vendored modules to the path."""
