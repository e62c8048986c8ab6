"""Brings its own build backend, which asks git for the version."""
