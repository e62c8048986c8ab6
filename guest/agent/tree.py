"""What a task left in the file system, read from the overlay's upper directory: no system call of the package escapes it."""

import hashlib
import os
import stat
from collections import Counter

import layout
import text
from sandboxed import UID

HASH_BYTES = 16 * 1024 * 1024
ENTRIES = 200_000
CHANGES = 20_000
#: All lists of one job must fit into the raw data's 16 MiB.
CHANGES_TEXT = 1024 * 1024
PATH_UNITS = 4096
BOOKKEEPING = (layout.AGENT_PRIVATE, layout.TOOLS, layout.LINT, f"{layout.WORK}/rules", layout.WHEEL, f"{layout.HOME}/.cache/pip")
NOISE = frozenset({"__pycache__", ".pytest_cache", ".hypothesis"})


class Tree:
    """Snapshots of the upper directory. Call only while no process of the package is alive."""

    def __init__(self, upper, ours=()):
        """`ours`: guest paths of our own files in the package's folders; may grow."""
        self.upper, self.ours = upper.rstrip("/"), ours

    def snapshot(self):
        """path in the guest -> (kind, mode, size, mtime, ctime); symbolic links are never followed."""
        found = {}
        pending = [""]
        while pending and len(found) < ENTRIES:
            relative = pending.pop()
            try:
                entries = sorted(os.scandir(f"{self.upper}{relative}"), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                path = f"{relative}/{entry.name}"
                if entry.name in NOISE or path in layout.TEMPORARY or path in BOOKKEEPING or path in self.ours:
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                kind = _kind(status)
                if kind == "directory":
                    pending.append(path)
                    # A root-owned directory in the upper layer is a copy of a lower one, made for something inside it.
                    if status.st_uid == UID:
                        found[path] = (kind, status.st_mode, 0, 0, 0)
                else:
                    found[path] = (kind, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return found

    def changes(self, before, after, hashed, ignore=frozenset()):
        """(FileChange list sorted by path, how many did not fit). `ignore`: guest paths of no interest."""
        rows = {}
        for path, entry in after.items():
            old = before.get(path)
            if old == entry or path in ignore or (entry[0] == "deleted" and old is None and _is_own(path)):
                continue
            if entry[0] == "deleted":
                kind = "deleted"
            else:
                kind = "added" if old is None or old[0] == "deleted" else "changed"
            self._add(rows, path, kind, entry, hashed)
        for path, entry in before.items():
            if path not in after and entry[0] != "deleted" and path not in ignore:
                self._add(rows, path, "deleted", entry, False)
        return _fit([rows[path] for path in sorted(rows)])

    def _add(self, rows, path, kind, entry, hashed):
        type_name = entry[0] if entry[0] != "deleted" else "other"
        row = {"path": text.stable_path(path), "kind": kind, "type": type_name}
        if hashed and kind != "deleted" and type_name == "file" and entry[2] <= HASH_BYTES:
            digest = _hash(f"{self.upper}{path}")
            if digest:
                row["sha256"] = digest
        # Two random names may become one: neither content is the stable one then.
        if row["path"] in rows:
            row.pop("sha256", None)
        rows[row["path"]] = row


def _kind(status):
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "symlink"
    if stat.S_ISCHR(mode) and status.st_rdev == 0:
        return "deleted"
    return "other"


def _is_own(path):
    """A whiteout below a folder of the job hides nothing: the image has none of these folders."""
    return path.startswith((layout.WORK + "/", layout.HOME + "/"))


def _hash(path):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fit(rows):
    """(rows that fit, how many do not). Folders with few changes come first: a flood in one does not push out the others."""
    kept, room = [], CHANGES_TEXT
    crowd = Counter(os.path.dirname(row["path"]) for row in rows)
    for row in sorted(rows, key=lambda row: crowd[os.path.dirname(row["path"])]):
        # One path that cannot be told must not hide those behind it.
        if text.units(row["path"]) > PATH_UNITS:
            continue
        room -= len(row["path"].encode("utf-8", "replace")) + 120
        if room < 0 or len(kept) == CHANGES:
            break
        kept.append(row)
    return sorted(kept, key=lambda row: row["path"]), len(rows) - len(kept)
