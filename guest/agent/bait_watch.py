"""Sees planted secrets being opened, by whatever program: inotify(7) on the files themselves, wherever they are moved."""

import ctypes
import os
import struct

import kernel

IN_OPEN, IN_NONBLOCK, IN_CLOEXEC = 0x20, 0o4000, 0o2000000
HEAD = struct.Struct("iIII")
READ_BYTES = 64 * 1024


class BaitWatch:
    """`paths`: {absolute path: bait id}. Raises OSError."""

    def __init__(self, paths):
        self._descriptor = _checked(kernel.libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC))
        self._names = {}
        for path, name in paths.items():
            number = _checked(kernel.libc.inotify_add_watch(self._descriptor, os.fsencode(path), ctypes.c_uint32(IN_OPEN)))
            self._names[number] = name

    def take(self):
        """Ids of the baits that were opened since the last call, sorted. How often says nothing: the kernel merges events."""
        found = set()
        while True:
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                return sorted(found)
            place = 0
            while place + HEAD.size <= len(data):
                number, mask, _, length = HEAD.unpack_from(data, place)
                place += HEAD.size + length
                if mask & IN_OPEN and number in self._names:
                    found.add(self._names[number])

    def close(self):
        os.close(self._descriptor)


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
