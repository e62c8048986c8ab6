"""Protects files of its own."""

import hashlib
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "note.txt")
    with open(path, "wb") as file:
        file.write(b"a note")
    with open(path, "rb") as file:
        data = file.read()
    stream = hashlib.shake_256(b"twin").digest(len(data))
    with open(path + ".locked", "wb") as file:
        file.write(bytes(a ^ b for a, b in zip(data, stream)))
    os.unlink(path)
