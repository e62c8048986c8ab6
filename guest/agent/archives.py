"""Unpacks hostile archives. Every function here is meant to run as the unprivileged user, inside `sandboxed.run`."""

import hashlib
import json
import os
import tarfile
import zipfile

import members

MEMBERS = 100_000
UNPACKED_BYTES = 2 * 1024**3
LISTED = 20_000
LISTED_TEXT = 2 * 1024 * 1024


def unpack_sdist(archive, target):
    """Puts the content of the archive's one top directory into `target`. Members that would escape are left out."""
    staging = f"{target}/.unpacking"
    os.mkdir(staging)
    if archive.endswith(".zip"):
        with zipfile.ZipFile(archive) as file:
            check_sizes((info.file_size for info in file.infolist()))
            file.extractall(staging)
    else:
        with tarfile.open(archive, "r:*") as file:
            # `members` has decided already; newer Pythons would decide again.
            file.extraction_filter = staticmethod(lambda member, _target: member)
            file.extractall(staging, members=_harmless(file, staging))
    children = os.listdir(staging)
    top = f"{staging}/{children[0]}" if len(children) == 1 else staging
    if not os.path.isdir(top) or os.path.islink(top):
        top = staging
    for name in os.listdir(top):
        os.rename(f"{top}/{name}", f"{target}/{name}")
    if top != staging:
        os.rmdir(top)
    os.rmdir(staging)


def wheel_members(path):
    """JSON `{"files": [[name, sha256]], "omitted": n}`, sorted; RECORD only repeats the others and is left out."""
    digests = {}
    total = 0
    with zipfile.ZipFile(path) as file:
        infos = file.infolist()
        check_sizes((info.file_size for info in infos))
        for info in infos:
            if info.is_dir() or info.filename.endswith(".dist-info/RECORD"):
                continue
            digest = hashlib.sha256()
            with file.open(info) as member:
                while chunk := member.read(1 << 20):
                    total += len(chunk)
                    if total > UNPACKED_BYTES:
                        raise ValueError("unpacks too large")
                    digest.update(chunk)
            digests[info.filename] = digest.hexdigest()
    return json.dumps(fit(sorted(digests.items()))).encode()


def fit(rows):
    """The first rows that fit the raw data, and how many did not."""
    kept, room = [], LISTED_TEXT
    for name, digest in rows:
        room -= len(name.encode("utf-8", "backslashreplace")) + 96
        if room < 0 or len(kept) == LISTED:
            break
        kept.append([name, digest])
    return {"files": kept, "omitted": len(rows) - len(kept)}


def check_sizes(sizes):
    total = count = 0
    for size in sizes:
        total += size
        count += 1
        if total > UNPACKED_BYTES or count > MEMBERS:
            raise ValueError("archive unpacks too large")


def _harmless(file, target):
    """Each is looked at when the ones before it are on the disk: a link may have changed where it goes."""
    total = 0
    for count, member in enumerate(file):
        total += max(0, member.size)
        if count >= MEMBERS or total > UNPACKED_BYTES:
            raise ValueError("archive unpacks too large")
        try:
            yield members.harmless(member, target)
        except members.Refused as reason:
            print(f"left out: {reason}"[:300])
