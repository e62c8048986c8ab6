"""Measures the disk."""

import tempfile

with tempfile.TemporaryFile() as file:
    for _ in range(8):
        file.write(bytes(1024 * 1024))
