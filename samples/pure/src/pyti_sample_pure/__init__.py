"""Roman numerals."""

from .roman import to_roman

__all__ = ["to_roman"]
