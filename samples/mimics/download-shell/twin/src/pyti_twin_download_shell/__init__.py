"""Runs a shell script of its own while it is built."""
