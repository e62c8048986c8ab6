"""Years on a cornerstone."""

from pyti_sample_pure import to_roman


def cornerstone(year):
    """Return the inscription for a year."""
    return f"ANNO {to_roman(year)}"
