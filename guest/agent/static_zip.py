"""
Entries of a zip archive, and where its parts contradict each other: tools that trust different parts see different files
(the confusions PyPI refuses since 2025: local headers against the central directory, data around and between members).
"""

import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass

FAULTS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError, struct.error, OverflowError,
)  # fmt: skip
LOCAL = struct.Struct("<4s5H3I2H")
END = b"PK\5\6"
END_BYTES = 22
COMMENT_BYTES = 65535
#: A data descriptor behind a member: signature, CRC and two sizes of 64 bits at most (APPNOTE 4.3.9).
DESCRIPTOR_BYTES = 24
ENCRYPTED, HAS_DESCRIPTOR = 0x1, 0x8


@dataclass
class Entry:
    name: str
    kind: str
    size: int
    packed: int
    chunks: object


def entries(path, note):
    """Yields an Entry for each row of the central directory; see `static_members.walk` for `note`."""
    with open(path, "rb") as raw:
        try:
            file = zipfile.ZipFile(raw)
        except FAULTS:
            note("archive-unreadable", None)
            return
        with file:
            infos = file.infolist()
            _check_frame(raw, file, infos, note)
            seen = set()
            for info in infos:
                name = info.orig_filename
                if "\0" in name:
                    note("archive-nul-name", name)
                if info.flag_bits & ENCRYPTED:
                    note("archive-encrypted", name)
                if info.filename in seen:
                    note("archive-duplicate", name)
                seen.add(info.filename)
                yield Entry(name, _kind(info), info.file_size, info.compress_size, lambda size, info=info: _chunks(file, info, size))


def _kind(info):
    if info.filename.endswith("/"):
        return "folder"
    # The high half of the attributes is a Unix mode when the creator was one; pip looks no further either.
    form = info.external_attr >> 28
    return {0xA: "symlink", 0x4: "folder"}.get(form, "special" if form in (0x1, 0x2, 0x6, 0xC) else "file")


def _chunks(file, info, size):
    with file.open(info) as stream:
        while chunk := stream.read(size):
            yield chunk


def _check_frame(raw, file, infos, note):
    """Data before, between and behind the members; members that overlap or have another name where they are."""
    raw.seek(0, 2)
    length = raw.tell()
    tail_start = max(0, length - END_BYTES - COMMENT_BYTES)
    raw.seek(tail_start)
    tail = raw.read()
    end = tail.rfind(END)
    if end < 0 or len(tail) < end + END_BYTES:
        note("archive-data-after", None)
    else:
        comment = struct.unpack_from("<H", tail, end + 20)[0]
        if tail_start + end + END_BYTES + comment != length:
            note("archive-data-after", None)
        if comment:
            note("archive-comment", None)
    here = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        start, after = _local(raw, info, note)
        if start is None:
            return
        if start < here:
            note("archive-overlap", info.orig_filename)
        elif start - here > (DESCRIPTOR_BYTES if here else 0):
            note("archive-gap" if here else "archive-data-before", info.orig_filename if here else None)
        here = max(here, after)
    if file.start_dir - here > DESCRIPTOR_BYTES:
        note("archive-gap" if here else "archive-data-before", None)


def _local(raw, info, note):
    """(first byte, byte behind the data) of a member by its local header; (None, None) when there is none."""
    raw.seek(max(0, info.header_offset))
    data = raw.read(LOCAL.size)
    if len(data) < LOCAL.size or data[:4] != b"PK\3\4":
        note("archive-bad-member", info.orig_filename)
        return None, None
    _, _, flags, _, _, _, _, packed, size, name_bytes, extra_bytes = LOCAL.unpack(data)
    name = raw.read(name_bytes).decode("utf-8" if flags & 0x800 else "cp437", "backslashreplace")
    if name != info.orig_filename:
        note("archive-name-differs", info.orig_filename)
    wide = 0xFFFFFFFF in (packed, size)
    if not flags & HAS_DESCRIPTOR and not wide and (packed, size) != (info.compress_size, info.file_size):
        note("archive-size-differs", info.orig_filename)
    return info.header_offset, info.header_offset + LOCAL.size + name_bytes + extra_bytes + info.compress_size
