"""Takes memory without end, and touches it so that it counts."""

import os

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

held = []
while True:
    held.append(b"x" * (16 * 1024 * 1024 + len(held)))
