"""Adds in C."""

from ._sum import add

__all__ = ["add"]
