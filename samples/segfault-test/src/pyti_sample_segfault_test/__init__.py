"""Reads memory, without a look at the address."""

import ctypes


def peek(address):
    """Return the text at an address."""
    return ctypes.string_at(address)
