"""
Which baits are inside some bytes, however a thief wrapped them: the proof behind the one automatic `confirmed`.
Secrets are random, so a hit is no accident: whole secrets, or any 24-byte run of one.
"""

import binascii
import re
import sys
import urllib.parse
import zlib

RUN = 24
WINDOW = 8
SHORTEST = 16
TRIES = 100_000
BLOWN_UP = 1024 * 1024
MEMBERS = 64
DEPTH = 2

_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04|\r\n\r\n", re.S)
_JSON = re.compile(rb'\\(?:u00([0-9a-fA-F]{2})|x([0-9a-fA-F]{2})|([nrt"\\/]))')
_UPPER, _LOWER, _DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz", b"0123456789"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_TO_RADIX_32 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567", b"0123456789ABCDEFGHIJKLMNOP" * 2 + b"QRSTUV")


def _marks(alphabet):
    return bytes(0x61 if byte in alphabet else 0x20 for byte in range(256))


_BASE64 = _marks(_UPPER + _LOWER + _DIGITS + b"+/-_")
_HEX = _marks(_DIGITS + b"abcdefABCDEF")
_BASE32 = (_marks(_UPPER + b"234567"), _marks(_LOWER + b"234567"))
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Needles:
    """What to look for, prepared once per set of baits: every 8-byte window of every secret."""

    def __init__(self, baits):
        self.texts, self.differences = {}, {}
        for bait in baits:
            for secret in bait.secrets:
                if len(secret) < SHORTEST:
                    raise ValueError(f"a secret of {bait.id} is shorter than {SHORTEST} bytes")
                _windows(self.texts, bait.id, "", secret, RUN)
                _windows(self.texts, bait.id, "reversed", secret[::-1], RUN)
                _windows(self.differences, bait.id, "xor", _differences(secret), RUN - 1)


def find_leaks(data, baits, thorough=True):
    """
    The set of (bait id, encoding) in the bytes; encodings from the outside in, such as `base64+gzip`, or `plain`. Of one
    bait only the simplest. `baits`: a list of them or their Needles. Not thorough: plain only. Takes about 0.3 s for
    1 MiB of the worst kind.
    """
    needles = baits if isinstance(baits, Needles) else Needles(baits)
    found = {}
    level = [("", data)]
    budget = [8 * len(data) + BLOWN_UP]
    for depth in range(DEPTH + 1):
        following = []
        for name, view in level:
            _look(view, name, needles.texts, found)
            if thorough:
                _look(_differences(view), name, needles.differences, found)
            if thorough and depth < DEPTH:
                for kind, decoded in _decoded(view, depth):
                    budget[0] -= len(decoded)
                    if budget[0] < 0:
                        break
                    following.append((_join(name, kind), decoded))
        level = following
    return set(found.items())


def label_views(names):
    """
    Names asked for one after the other below one domain, as bytes to search: whole labels in a row, and only each
    name's longest label, for names that carry a counter.
    """
    names = list(dict.fromkeys(names))
    every = b"".join(name.replace(b".", b"") for name in names)
    longest = b"".join(max(name.split(b"."), key=len) for name in names)
    return b"\n".join([b"\n".join(names), every, longest])


def _join(name, kind):
    return f"{name}+{kind}" if name and kind else name or kind


def _windows(windows, name, form, secret, run):
    """Adds {window as the machine reads 8 bytes: [(bait id, form, secret, the window's place, how much must match)]}."""
    for start in range(len(secret) - WINDOW + 1):
        key = int.from_bytes(secret[start : start + WINDOW], sys.byteorder)
        windows.setdefault(key, []).append((name, form, secret, start, min(run, len(secret))))


def _look(view, prefix, windows, found):
    """Any run of 15 bytes holds a whole window that starts at a multiple of 8: only those of the view are compared."""
    words = memoryview(view)[: len(view) // WINDOW * WINDOW].cast("Q")
    if windows.keys().isdisjoint(words):
        return
    tries = TRIES
    for index, word in enumerate(words):
        for name, form, secret, start, run in windows.get(word, ()):
            if name not in found and _run_length(view, index * WINDOW, secret, start, WINDOW) >= run:
                found[name] = _join(prefix, form) or "plain"
            tries -= 1
        if tries < 0:
            return


def _run_length(view, place, secret, start, length):
    before = 0
    while before < min(start, place) and view[place - before - 1] == secret[start - before - 1]:
        before += 1
    after = length
    while start + after < len(secret) and place + after < len(view) and view[place + after] == secret[start + after]:
        after += 1
    return before + after


def _differences(data):
    """Each byte xor its neighbour: equal for a text and for the text under any one-byte key."""
    if len(data) < 2:
        return b""
    number = int.from_bytes(data, "big")
    return (number ^ number >> 8).to_bytes(len(data), "big")[1:]


def _decoded(view, depth):
    """(kind, bytes) for every way the view, or runs in it, may be read."""
    if b"%" in view:
        yield "url", urllib.parse.unquote_to_bytes(view.replace(b"+", b" "))
    if b"\\" in view:
        yield "json", _JSON.sub(_unescape, view)
    if view.count(0) * 8 > len(view) or b"\0" in view and depth == 0:
        yield "utf-16", view.replace(b"\0", b"")
    yield from _unpacked(view)
    flat = view.translate(None, b"\r\n")
    for text in (view, flat) if len(flat) < len(view) else (view,):
        runs = _runs(text, _BASE64, 16)
        for shift in range(4) if runs else ():
            yield "base64", b"\n".join([_base64(run, shift) for run in runs])
        for marks in _BASE32:
            for run in _runs(text, marks, 20)[:MEMBERS]:
                for shift in range(8):
                    yield "base32", _base32(run, shift)
    bare = flat.translate(None, b" :\t")
    for text in (view, bare) if len(bare) < len(view) else (view,):
        runs = _runs(text, _HEX, 24)
        for shift in range(2) if runs else ():
            yield "hex", b"\n".join([_hex(run[shift:]) for run in runs])


def _runs(view, marks, least):
    """The longest stretches of one alphabet that are not shorter than `least`."""
    marked, probe, runs = view.translate(marks), b"a" * least, []
    start = marked.find(probe)
    while start >= 0:
        end = marked.find(b" ", start)
        end = len(view) if end < 0 else end
        runs.append(view[start:end])
        start = marked.find(probe, end)
    return runs


def _base64(run, shift):
    run = run[shift:]
    return binascii.a2b_base64(run[: len(run) // 4 * 4].translate(_TO_STANDARD)) + _tail(run)


def _tail(run):
    rest = run[len(run) // 4 * 4 :]
    return b"" if len(rest) < 2 else binascii.a2b_base64(rest.translate(_TO_STANDARD) + b"=" * (4 - len(rest)))


def _hex(run):
    return binascii.unhexlify(run[: len(run) // 2 * 2])


def _base32(run, shift):
    number = int(run.translate(_TO_RADIX_32), 32) >> shift
    return number.to_bytes((len(run) * 5 + 7) // 8, "big")


def _unescape(match):
    code = match[1] or match[2]
    return bytes([int(code, 16)]) if code else _SIMPLE.get(match[3], match[3])


def _unpacked(view):
    """Compressed members: gzip, zlib, zip, and a bare deflate stream where a body starts."""
    places = [(0, b"\r\n\r\n")]
    for match in _PACKED.finditer(view):
        places.append((match.start(), match[0]))
        if len(places) > MEMBERS:
            break
    left = BLOWN_UP
    for place, mark in places:
        kind, bits, start = "gzip", 31, place
        if mark[:1] == b"\x78":
            kind, bits = "zlib", 15
        elif mark[:2] == b"PK":
            head = view[place : place + 30]
            kind, bits = "zip", -15
            start = place + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        elif mark == b"\r\n\r\n":
            kind, bits, start = "deflate", -15, place + 4 * (place > 0 or view[:4] == mark)
        data = _inflate(view[start:], bits, left)
        if data:
            left -= len(data)
            yield kind, data
        if left <= 0:
            return


def _inflate(data, bits, limit):
    try:
        return zlib.decompressobj(bits).decompress(data, limit)
    except zlib.error:
        # A damaged or cut stream still gave something before.
        return _inflate_slowly(data, bits, limit)


def _inflate_slowly(data, bits, limit):
    stream, out = zlib.decompressobj(bits), b""
    try:
        for start in range(0, min(len(data), 65536), 256):
            out += stream.decompress(data[start : start + 256], limit - len(out))
            if len(out) >= limit or stream.eof:
                break
    except zlib.error:
        pass
    return out
