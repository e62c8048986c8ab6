"""Prepares the interpreter's warnings."""
