"""Reads what a distribution says of itself (METADATA, PKG-INFO, WHEEL) as text; nothing is run."""

import email.errors
import email.parser
import os
import re
import sys
from dataclasses import dataclass, field

import layout

#: Rows of one header that are looked at.
ROWS = 2000
HINTS = (
    re.compile(rb"--extra-index-url|--index-url|--trusted-host|--find-links"),
    re.compile(rb"\bdependency_links\s*=\s*(\[\s*[\"']|[^\[\s])"),
    re.compile(rb"\[\[tool\.(uv\.index|poetry\.source|pdm\.source)\]\]|^\s*(extra-)?index-url\s*=", re.M),
)
HINT_FILES = re.compile(r"(^|/)(setup\.(py|cfg)|pyproject\.toml|[^/]*requirements[^/]*\.txt|constraints[^/]*\.txt|pip\.conf|pip\.ini|uv\.toml|Pipfile)$")


@dataclass
class Metadata:
    """Headers in lower case -> values in their order, and the long description."""

    headers: dict = field(default_factory=dict)
    description: str = ""

    def one(self, name):
        return (self.headers.get(name) or [""])[0].strip()

    def all(self, name):
        return [value.strip() for value in self.headers.get(name, [])]


def parse(data):
    """Core metadata (PyPA). Headers that are no headers are left out; never raises because of the data."""
    try:
        message = email.parser.Parser().parsestr(data.decode("utf-8", "replace"))
        payload = message.get_payload()
        rows = [(name.lower(), str(value)) for name, value in message.items()]
    except (email.errors.MessageError, ValueError, LookupError, RecursionError):
        return Metadata()
    headers = {}
    for name, value in rows:
        kept = headers.setdefault(name, [])
        if len(kept) < ROWS:
            kept.append(value)
    old = headers.get("description")
    text = payload if isinstance(payload, str) and payload.strip() else (old[0] if old else "")
    return Metadata(headers, text)


def packaging():
    """The modules (version, specifiers, requirements) of `packaging`: of the image, or of its pip. None when neither is there."""
    added = layout.SYSTEM_PACKAGES not in sys.path and os.path.isdir(layout.SYSTEM_PACKAGES)
    if added:
        sys.path.append(layout.SYSTEM_PACKAGES)
    try:
        for name in ("packaging", "pip._vendor.packaging"):
            try:
                parts = [__import__(f"{name}.{part}", fromlist=["x"]) for part in ("version", "specifiers", "requirements")]
            except ImportError:
                continue
            return parts
        return None
    finally:
        if added:
            sys.path.remove(layout.SYSTEM_PACKAGES)


def index_hint_line(name, data):
    """The line of a file on which it names another index or link page, else None."""
    if not HINT_FILES.search(name):
        return None
    at = [found.start() for pattern in HINTS if (found := pattern.search(data))]
    return data.count(b"\n", 0, min(at)) + 1 if at else None
