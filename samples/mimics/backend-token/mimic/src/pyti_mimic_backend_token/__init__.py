"""Brings its own build backend."""
