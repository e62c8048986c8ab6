"""Prepares the interpreter."""
