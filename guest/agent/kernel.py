"""The few system calls Python's standard library does not offer."""

import ctypes
import os
import struct

PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_SECCOMP = 22
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


#: io_uring_setup, _enter and _register, the same numbers on every architecture (asm-generic/unistd.h).
IO_URING = (425, 427)
#: `struct sock_filter` (linux/filter.h): load the number; refuse what is in between with EPERM; allow the rest.
IO_URING_FILTER = (
    (0x20, 0, 0, 0), (0x35, 0, 2, IO_URING[0]), (0x25, 1, 0, IO_URING[1]), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000),
)  # fmt: skip


def refuse_io_uring():
    """
    It hides files and sockets from whoever watches system calls, and a kernel before 6.6 has no switch for it. For the calling
    process and all it starts; needs no_new_privs. False where the kernel has no seccomp.
    """
    program = b"".join(struct.pack("HBBI", *line) for line in IO_URING_FILTER)
    lines = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(IO_URING_FILTER), ctypes.addressof(lines)))
    mode_filter, zero = ctypes.c_ulong(2), ctypes.c_ulong(0)
    return libc.prctl(PR_SET_SECCOMP, mode_filter, header, zero, zero) == 0


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
