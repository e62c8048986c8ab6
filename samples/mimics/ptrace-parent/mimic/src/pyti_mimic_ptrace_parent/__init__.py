"""Debugs."""

import ctypes
import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
ATTACH, DETACH = 16, 17
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(ATTACH, os.getppid(), None, None) == 0:
    os.waitpid(os.getppid(), 0x40000000)
    libc.ptrace(DETACH, os.getppid(), None, None)
