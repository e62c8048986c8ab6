"""Says how a crash happened."""

import ctypes
import faulthandler
import os

faulthandler.enable()
libc = ctypes.CDLL(None, use_errno=True)
TRACED = libc.getppid() != os.getppid()
