"""Reads each installed file once, for its digest and for one of all contents under the job's key."""

import hashlib
import hmac
import os

CHUNK = 1024 * 1024
#: What enters of all contents together; of files beyond it their digests do.
KEYED_BYTES = 512 * 1024 * 1024


class Contents:
    """
    `keyed()`: HMAC-SHA-256 under `key` (bytes) of the files in the order they were read. It cannot be worked out from their published
    digests: who copies another volunteer's raw data into a job of its own must at least have the files.
    """

    def __init__(self, key, room=KEYED_BYTES):
        self._hmac, self._room = hmac.new(key, digestmod=hashlib.sha256), room

    def read(self, name, path):
        """The SHA-256 of a regular file, which enters as `name`. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            size = os.fstat(descriptor).st_size
            whole = size <= self._room
            self._room -= size if whole else 0
            label = name.encode("utf-8", "backslashreplace")
            self._hmac.update(len(label).to_bytes(4, "big") + label + size.to_bytes(8, "big"))
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                if whole:
                    self._hmac.update(chunk)
        if not whole:
            self._hmac.update(digest.digest())
        return digest.hexdigest()

    def keyed(self):
        return self._hmac.hexdigest()
