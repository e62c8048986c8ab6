"""Colours test output."""
