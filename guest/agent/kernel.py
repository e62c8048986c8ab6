"""The few system calls Python's standard library does not offer."""

import ctypes
import os

PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
LAST_CAPABILITY_TRIED = 63

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option, value=0):
    """prctl(2) with the unused arguments zero; False instead of an error."""
    zero = ctypes.c_ulong(0)
    return libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero) == 0


def mount(source, target, kind, flags=0, data=""):
    """mount(2). Raises OSError."""
    arguments = [text.encode() for text in (source, target, kind)]
    if libc.mount(*arguments, ctypes.c_ulong(flags), data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def drop_capabilities():
    """Empties the bounding and the ambient set, so that no later exec brings a capability back."""
    for capability in range(LAST_CAPABILITY_TRIED + 1):
        if not prctl(PR_CAPBSET_DROP, capability):
            break
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def read_small(path, limit=4096):
    """A kernel file's text, or '' when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, limit).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def write_small(path, text):
    """Writes a kernel file in one call; True when the kernel took it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, text.encode())
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
