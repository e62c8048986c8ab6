"""
The YARA rules of guest/rules over a distribution's sources. A file that matches is looked at again without its comments and
docstrings: a rule is about code. Rules see `kind` (setup, python, pth, script, text), `python` and `early` (runs at an import
of the top, or at an interpreter's start).
"""

import hashlib
import io
import os
import re
import sys
import tokenize

import layout

SCAN_BYTES = 2 * 1024 * 1024
SCAN_SECONDS = 120
SCRIPT_SUFFIXES = (".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".psm1", ".vbs")
PTH_SUFFIXES = (".pth", ".start")
EARLY = frozenset({"__init__.py", "sitecustomize.py", "usercustomize.py", "conftest.py"})
#: Strings of this name say which line a finding is about.
PLACE = "$at"


class Rules:
    """Compiled rules. `version`: of the rule set; `digest`: sha256 over its files; `engine`: YARA's own version."""

    def __init__(self, folder):
        sources, digest = {}, hashlib.sha256()
        for name in sorted(os.listdir(folder)):
            if name.endswith((".yar", ".txt")) or name == "VERSION":
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                digest.update(name.encode() + b"\0" + data + b"\0")
                sources[name] = data.decode("utf-8")
        self.version, self.digest = sources["VERSION"].strip(), digest.hexdigest()
        yara = engine()
        self.engine = yara.YARA_VERSION if yara else None
        self._timeout = yara.TimeoutError if yara else None
        texts = {name: with_hosts(text, sources["hosts.txt"]) for name, text in sources.items() if name.endswith(".yar")}
        externals = {"kind": "", "python": False, "early": False}
        self._rules = yara.compile(sources=texts, externals=externals, includes=False) if yara else None

    def scan(self, name, data, note):
        """`note(rule, line)` for each rule that matches a file; `name` is its path in the archive. Nothing without an engine."""
        kind = kind_of(name, data)
        if self._rules is None or kind is None:
            return
        data = data[:SCAN_BYTES]
        try:
            found = self._match(name, kind, data)
            if found and kind in ("python", "setup"):
                code = without_comments(data)
                again = self._match(name, kind, code)
                found = {rule: again[rule] for rule in found if rule in again}
        except self._timeout:
            note("rules-timeout", None)
            return
        for rule, line in found.items():
            note(rule, line)

    def _match(self, name, kind, data):
        """{rule id: line}."""
        externals = {"kind": kind, "python": kind in ("python", "setup"), "early": name.rsplit("/", 1)[-1] in EARLY}
        found = {}
        for match in self._rules.match(data=data, externals=externals, timeout=SCAN_SECONDS):
            places = [place for place in _places(match)]
            named = [offset for offset, string in places if string.startswith(PLACE)] or [offset for offset, _ in places]
            at = min(named, default=0)
            # A pattern may begin with the line end before what it is about.
            at += len(data[at : at + 1]) if data[at : at + 1] == b"\n" else 0
            found[match.meta["id"]] = data.count(b"\n", 0, at) + 1
        return found


def engine():
    """The module `yara` of the image (Debian: python3-yara), None when it is not there."""
    added = layout.SYSTEM_PACKAGES not in sys.path
    if added:
        sys.path.append(layout.SYSTEM_PACKAGES)
    try:
        import yara
    except ImportError:
        return None
    finally:
        if added:
            sys.path.remove(layout.SYSTEM_PACKAGES)
    return yara


def kind_of(name, data):
    """`name`: path in the archive without the top folder of a source distribution. None: not a file rules are about."""
    low = name.lower()
    if low == "setup.py":
        return "setup"
    if low.endswith((".py", ".pyw", ".pyx")):
        return "python"
    if low.endswith(PTH_SUFFIXES):
        return "pth"
    if low.endswith(SCRIPT_SUFFIXES):
        return "script"
    first = data[:200].split(b"\n", 1)[0]
    if first.startswith(b"#!"):
        return "python" if b"python" in first else "script"
    return None


def without_comments(data):
    """The same lines of Python with blanks for comments and, unless the code reads `__doc__`, docstrings. As it was when it is no Python."""
    text = data.decode("utf-8", "replace").replace("\r\n", " \n").replace("\r", "\n")
    lines = text.split("\n")
    docs = b"__doc__" not in data
    try:
        starts = True
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT or (docs and starts and token.type == tokenize.STRING and _is_alone(token, lines)):
                _blank(lines, token.start, token.end)
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                starts = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, IndexError):
        return data
    return "\n".join(lines).encode("utf-8", "replace")


def _is_alone(token, lines):
    row, column = token.end
    return re.match(r"[ \t]*(#|$)", lines[row - 1][column:]) is not None


def _blank(lines, start, end):
    for row in range(start[0] - 1, end[0]):
        line = lines[row]
        first = start[1] if row == start[0] - 1 else 0
        last = end[1] if row == end[0] - 1 else len(line)
        lines[row] = line[:first] + " " * (last - first) + line[last:]


def with_hosts(text, hosts):
    """A rule text with `{hosts}` as one string per row of hosts.txt."""
    rows = [line.split("\t") for line in hosts.splitlines() if line and not line.startswith("#")]
    return text.replace("    {hosts}", "\n".join(f"    $at_{kind}_{at} = /{pattern}/" for at, (kind, pattern, _) in enumerate(rows)))


def _places(match):
    """(offset, identifier) of what matched, in either form of YARA's module (4.3 changed it)."""
    for string in match.strings:
        if isinstance(string, tuple):
            yield string[0], string[1]
        else:
            for instance in string.instances:
                yield instance.offset, string.identifier
