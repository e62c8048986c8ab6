"""Which members of a tar may be unpacked, and as what: PEP 706's `data` filter, which older Pythons of the image lack."""

import copy
import os


class Refused(Exception):
    """A member that is left out."""


def harmless(member, target):
    """The member as it may be unpacked below `target` right now. Raises Refused."""
    name = member.name.lstrip("/")
    _check_inside(target, name, member.name)
    if not (member.isfile() or member.isdir() or member.islnk() or member.issym()):
        raise Refused(f"{member.name!r} is a special file")
    changed = copy.copy(member)
    changed.name = name
    changed.mode = 0o755 if member.isdir() else _file_mode(member.mode)
    if member.islnk() or member.issym():
        if os.path.isabs(member.linkname):
            raise Refused(f"{member.name!r} is a link to an absolute path")
        # A hard link counts from the archive's root, a symbolic one from its own folder (PEP 706).
        base = os.path.dirname(name) if member.issym() else ""
        _check_inside(target, os.path.join(base, member.linkname), member.name)
        if member.issym():
            changed.linkname = os.path.normpath(member.linkname)
    return changed


def _check_inside(target, name, shown):
    """Follows the links that are there already."""
    root = os.path.realpath(target)
    path = os.path.realpath(os.path.join(root, name))
    if path != root and not path.startswith(root + "/"):
        raise Refused(f"{shown!r} is outside the destination")


def _file_mode(mode):
    mode &= 0o755
    if not mode & 0o100:
        mode &= ~0o111
    return mode | 0o600
