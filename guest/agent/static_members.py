"""Goes through a hostile archive's members without unpacking anything to the disk: bounded reads, structural faults noted."""

import hashlib
from dataclasses import dataclass

import static_tar
import static_zip

MEMBERS = 100_000
#: Of one member, what checks of contents get to see.
HEAD_BYTES = 2 * 1024 * 1024
#: Of all members together: what is beyond is counted, not read.
READ_BYTES = 1024**3
CHUNK = 256 * 1024
HIGH_RATIO = 200
HIGH_RATIO_BYTES = 16 * 1024 * 1024


@dataclass
class Member:
    """`kind`: file, folder, symlink, hardlink, special. `sha256` is None when not (wholly) read, `head` its first bytes."""

    name: str
    kind: str
    size: int
    sha256: str | None = None
    head: bytes = b""


def walk(path, note):
    """
    Yields a Member for each entry, in the archive's order. `note(rule, name)` hears of faults; name None is the archive.
    Never raises because of what the archive holds.
    """
    read = static_zip.entries if path.endswith((".whl", ".zip")) else static_tar.entries
    left = READ_BYTES
    for count, entry in enumerate(read(path, note)):
        if count >= MEMBERS:
            note("archive-too-many-members", None)
            return
        if entry.packed and entry.size > HIGH_RATIO_BYTES and entry.size > HIGH_RATIO * entry.packed:
            note("archive-high-ratio", entry.name)
        member = Member(entry.name, entry.kind, entry.size)
        if entry.kind == "file":
            left -= _read(entry, member, left, note)
        yield member


def _read(entry, member, room, note):
    """Fills in what can be read within `room` bytes; how many bytes that were."""
    if room <= 0 or entry.size > room:
        note("archive-not-read", member.name)
        return 0
    digest, head, done = hashlib.sha256(), bytearray(), 0
    try:
        for chunk in entry.chunks(CHUNK):
            done += len(chunk)
            if done > room:
                note("archive-not-read", member.name)
                return done
            digest.update(chunk)
            if len(head) < HEAD_BYTES:
                head += chunk[: HEAD_BYTES - len(head)]
    except static_zip.FAULTS + static_tar.FAULTS:
        note("archive-bad-member", member.name)
        return done
    member.head, member.size = bytes(head), done
    member.sha256 = digest.hexdigest()
    return done
