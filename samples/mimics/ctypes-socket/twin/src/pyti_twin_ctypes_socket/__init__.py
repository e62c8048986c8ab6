"""Calls the C library."""

import ctypes

libc = ctypes.CDLL(None)
LENGTH = libc.strlen(b"hello")
PAGE = libc.getpagesize()
