"""Knows whether it is privileged."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
PRIVILEGED = libc.geteuid() == 0
libc.nice(1)
os.umask(0o022)
