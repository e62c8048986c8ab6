"""Tricks with the names of an archive's members."""

import re
import unicodedata

#: Names that Windows keeps for devices, whatever their extension.
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
LINKS = {"symlink": "archive-symlink", "hardlink": "archive-hardlink", "special": "archive-special"}
NAME_BYTES = 255
PATH_BYTES = 1024


class Paths:
    """Looks at one member after the other; `note(rule, name)` hears of each trick."""

    def __init__(self, note, top):
        self._note, self._top = note, top
        self._folded = {}

    def look(self, member):
        name = member.name
        parts = name.replace("\\", "/").split("/")
        checks = (
            ("archive-absolute-path", name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name)),
            ("archive-parent-path", ".." in parts),
            ("archive-backslash", "\\" in name),
            ("archive-control-name", any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in name)),
            ("archive-device-name", any(part.split(".")[0].lower() in DEVICES for part in parts)),
            ("archive-blank-name", any(part != part.strip() or (part.endswith(".") and part.strip(".")) for part in parts)),
            ("archive-long-name", len(name.encode("utf-8", "replace")) > PATH_BYTES or any(len(p) > NAME_BYTES for p in parts)),
            ("archive-outside-top", self._top and parts[0] != self._top and parts[0] not in ("", ".")),
        )
        for rule, is_so in checks:
            if is_so:
                self._note(rule, name)
        if member.kind in LINKS:
            self._note(LINKS[member.kind], name)
        if member.kind != "folder":
            self._collision(name)

    def _collision(self, name):
        """Two names that are one file on file systems that fold case or normalise."""
        folded = unicodedata.normalize("NFC", name).casefold()
        if self._folded.setdefault(folded, name) != name:
            self._note("archive-case-collision", name)
