"""Keeps a buffer in memory."""

import mmap
import os

descriptor = os.memfd_create("buffer")
os.ftruncate(descriptor, 4096)
with mmap.mmap(descriptor, 4096) as buffer:
    buffer[:5] = b"hello"
os.close(descriptor)
