"""Prints binary noise without end: invalid UTF-8, terminal sequences, frame headers."""

import os

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

NOISE = os.urandom(64 * 1024) + b"\x1b]0;title\x07\x1b[2J\x00\xff\xfe" + b"\x00\x00\x00\x01\x07" * 1024
while True:
    for descriptor in (1, 2):
        os.write(descriptor, NOISE)
