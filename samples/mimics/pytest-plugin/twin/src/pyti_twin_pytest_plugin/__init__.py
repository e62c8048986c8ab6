"""Colours test output by a fixture."""
