"""Counts its installations by version only."""
