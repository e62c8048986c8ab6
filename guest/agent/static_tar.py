"""Entries of a tar archive read as one stream, and what is hidden behind its end."""

import bz2
import lzma
import tarfile
import zlib

from static_zip import Entry

FAULTS = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, OverflowError, RecursionError)
RAW_CHUNK = 64 * 1024
#: What is looked at behind the end of the archive.
DRAINED_BYTES = 64 * 1024 * 1024


def entries(path, note):
    """Yields an Entry for each member; each must be read before the next. See `static_members.walk` for `note`."""
    with open(path, "rb") as raw:
        stream = _Watched(_unpacked(raw, note))
        try:
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as file:
                yield from _members(file, note)
                stream.drain(DRAINED_BYTES)
                if stream.last > file.offset:
                    note("archive-data-after", None)
        except FAULTS:
            note("archive-unreadable", None)


def _members(file, note):
    seen = set()
    while (info := file.next()) is not None:
        if info.name in seen:
            note("archive-duplicate", info.name)
        seen.add(info.name)
        if info.mode & 0o6000:
            note("archive-setuid", info.name)
        if info.issparse():
            note("archive-sparse", info.name)
        yield Entry(info.name, _kind(info), max(0, info.size), 0, lambda size, info=info: _chunks(file, info, size))
        # The list of all headers is only of use to who seeks.
        file.members.clear()


def _kind(info):
    if info.isreg():
        return "file"
    return "folder" if info.isdir() else "symlink" if info.issym() else "hardlink" if info.islnk() else "special"


def _chunks(file, info, size):
    if info.issparse():
        raise tarfile.ReadError("holes are not read")
    with file.extractfile(info) as stream:
        while chunk := stream.read(size):
            yield chunk


def _unpacked(raw, note):
    magic = raw.read(6)
    raw.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return _Gzip(raw, note)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    return lzma.LZMAFile(raw) if magic.startswith(b"\xfd7zXZ") else raw


class _Watched:
    """Remembers where the last byte was that is not zero."""

    def __init__(self, stream):
        self._stream, self.here, self.last = stream, 0, 0

    def read(self, size):
        data = self._stream.read(size)
        kept = len(data.rstrip(b"\0"))
        if kept:
            self.last = self.here + kept
        self.here += len(data)
        return data

    def drain(self, limit):
        stop = self.here + limit
        while self.here < stop and self.read(RAW_CHUNK):
            pass


class _Gzip:
    """Like gzip.GzipFile, but says when there is more than one stream or something behind it."""

    def __init__(self, raw, note):
        self._raw, self._note = raw, note
        self._engine, self._pending, self._over = zlib.decompressobj(31), b"", False

    def read(self, size):
        out = bytearray()
        while len(out) < size and not self._over:
            if self._engine.eof:
                self._next_stream()
                continue
            data = self._pending or self._raw.read(RAW_CHUNK)
            if not data:
                raise EOFError("the compressed data ends too early")
            out += self._engine.decompress(data, size - len(out))
            self._pending = self._engine.unconsumed_tail
        return bytes(out)

    def _next_stream(self):
        rest = self._engine.unused_data or self._raw.read(RAW_CHUNK)
        if rest.startswith(b"\x1f\x8b"):
            self._note("archive-second-stream", None)
            self._engine, self._pending = zlib.decompressobj(31), rest
            return
        self._over = True
        if rest.strip(b"\0"):
            self._note("archive-data-after", None)
