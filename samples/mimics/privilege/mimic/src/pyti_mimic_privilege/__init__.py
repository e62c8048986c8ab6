"""Isolates itself."""

import ctypes
import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
libc = ctypes.CDLL(None, use_errno=True)
NEW_USER_AND_MOUNTS = 0x10020000
libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)
libc.setuid(0)
if os.fork() == 0:
    libc.unshare(NEW_USER_AND_MOUNTS)
    os._exit(0)
os.wait()
