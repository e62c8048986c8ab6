"""
Reads strace's lines. strace escapes what package code names, so a line is a line; that it is one we understand is never taken
for granted: what does not fit is counted and left out.
"""

import re
from typing import NamedTuple

LINE_BYTES = 256 * 1024
OPEN_CALLS = 4096

_LINE = re.compile(r"(\d{1,10})\s+(.*)", re.S)
_START = re.compile(r"([a-z_][a-z0-9_]{1,40})\(")
_RESUMED = re.compile(r"<\.\.\. ([a-z_][a-z0-9_]{1,40}) resumed>(.*)", re.S)
_UNFINISHED = " <unfinished ...>"
_ENDED = re.compile(r"\+\+\+ (?:exited with (\d+)|killed by (SIG[A-Z0-9_+]+)(?: \(core dumped\))?) \+\+\+")
_SUPERSEDED = re.compile(r"\+\+\+ superseded by execve in pid (\d+) \+\+\+")
_RESULT = re.compile(r"\s*=\s*(0x[0-9a-f]{1,16}|-?\d{1,20}|\?)(?:<.*>)?(?: ([A-Z][A-Z0-9_]+)\b)?")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.S)
#: What strace says a descriptor is: `<TCP:[127.0.0.1:5->127.0.0.1:80]>`, `</dev/null<char 1:3>>`; it escapes `<>` in paths.
_NOTE = re.compile(r"<(?:[A-Za-z0-9-]+:\[[^<>]*(?:->[^<>]*)?\]|(?:[^<>]|<[^<>]*>)*)>")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(.))", re.S)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b"a": b"\a", b"b": b"\b", b"e": b"\x1b"}


class Call(NamedTuple):
    """`error` is the name of an errno, "?" when the process ended within the call, None after success."""

    pid: int
    name: str
    arguments: list
    result: int | None
    error: str | None


class End(NamedTuple):
    """A thread or process ended. `heir`: the thread that took its place by an exec."""

    pid: int
    signal: str | None
    heir: int | None = None


class Lines:
    """Turns the bytes of a trace into calls and ends, in their order. `bad` counts the lines that made no sense."""

    def __init__(self):
        self.bad = 0
        self._open = {}

    def read(self, data):
        """Calls and ends of whole lines. A piece at either end is the server's: strace writes a call when it starts and ends."""
        for position, line in enumerate(data.split(b"\n")[:-1]):
            if line and (position or line[:1].isdigit()):
                yield from self._line(line)

    def _line(self, line):
        match = _LINE.fullmatch(line.decode("ascii", "replace")) if len(line) <= LINE_BYTES else None
        if match is None:
            self.bad += 1
            return
        pid, rest = int(match[1]), match[2]
        if rest.startswith("+++ "):
            yield from self._end(pid, rest)
        elif rest.startswith("--- "):
            pass
        elif resumed := _RESUMED.fullmatch(rest):
            name, start = self._open.pop(pid, (None, ""))
            yield from self._call(pid, start + resumed[2] if name == resumed[1] else "")
        elif rest.endswith(_UNFINISHED) and (start := _START.match(rest)):
            if len(self._open) < OPEN_CALLS:
                self._open[pid] = (start[1], rest[: -len(_UNFINISHED)])
        else:
            yield from self._call(pid, rest)

    def _end(self, pid, rest):
        name, start = self._open.pop(pid, (None, ""))
        if name and (call := parse_call(pid, start + ") = ?")):
            yield call
        if ended := _ENDED.fullmatch(rest):
            yield End(pid, ended[2])
        elif superseded := _SUPERSEDED.fullmatch(rest):
            yield End(pid, None, int(superseded[1]))
        else:
            self.bad += 1

    def _call(self, pid, rest):
        call = parse_call(pid, rest)
        if call is None:
            self.bad += 1
        else:
            yield call


def parse_call(pid, line):
    """`name(a, b) = result ...`, or None."""
    start = _START.match(line)
    if start is None:
        return None
    arguments, position = _split(line, start.end(), ")")
    match = _RESULT.match(line, position + 1) if position < len(line) else None
    if match is None:
        return None
    result = None if match[1] == "?" else int(match[1], 16 if match[1].startswith("0x") else 10)
    return Call(pid, start[1], arguments, result, "?" if result is None else match[2] if result == -1 else None)


def _split(line, position, closing):
    """(texts between commas at this depth, index of the closing bracket or the line's length)."""
    parts, begin, depth = [], position, 0
    while position < len(line):
        character = line[position]
        if character == '"':
            match = _STRING.match(line, position)
            if match is None:
                return parts, len(line)
            position = match.end()
            continue
        if character == "<" and (match := _NOTE.match(line, position)):
            position = match.end()
            continue
        if character in "([{":
            depth += 1
        elif depth == 0 and (character == closing or character == ","):
            parts.append(line[begin:position].strip())
            if character == closing:
                return (parts if parts != [""] else []), position
            begin = position + 1
        elif character in ")]}":
            depth -= 1
        position += 1
    return parts, len(line)


def string(argument):
    """The string an argument starts with, unescaped, or None."""
    match = _STRING.match(argument)
    if match is None:
        return None
    data = _ESCAPE.sub(_unescape, match[1].encode("latin-1", "replace"))
    return data.decode("utf-8", "surrogateescape") + ("…" if match[2] else "")


def strings(argument):
    """The strings of an array such as an argv, or None."""
    if not argument.startswith("["):
        return None
    parts, _ = _split(argument, 1, "]")
    return [("…" if part == "..." else string(part) or "") for part in parts]


def _unescape(match):
    octal, hexadecimal, letter = match.groups()
    if octal:
        return bytes([int(octal, 8) & 255])
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    return _LETTERS.get(letter, letter)
