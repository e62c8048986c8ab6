"""Generates a table with a script of its own while it is built."""
