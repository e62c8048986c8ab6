"""Reads its version out of its source."""
