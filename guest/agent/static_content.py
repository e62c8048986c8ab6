"""What a file is by its first bytes, and what a source hides from who reads it."""

import collections
import io
import math
import re
import tokenize
import unicodedata

NATIVE_SUFFIX = re.compile(r"\.(so(\.[0-9.]+)?|pyd|dll|exe|dylib|a|o|lib|obj|bundle|node|elf|bin)$", re.I)
PYTHON_SUFFIXES = (".py", ".pyw", ".pyi", ".pyx")
ARCHIVES = (b"PK\3\4", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd")
#: Formats whose content is packed already, so that it cannot be told from noise.
PACKED = ARCHIVES + (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"wOFF", b"wOF2", b"OggS", b"ID3", b"%PDF", b"\x00\x00\x00", b"\x1a\x45\xdf\xa3",
    b"\x93NUMPY", b"PAR1", b"\x89HDF", b"SQLite", b"fLaC", b"\xff\xfb", b"ARROW1", b"\x00asm", b"TZif",
)  # fmt: skip
NOISE_BYTES = 16 * 1024
NOISE_SAMPLE = 256 * 1024
NOISE_BITS = 7.95
LARGE_BYTES = 20 * 1024 * 1024
#: Unicode technical report 36: these change the order in which a line is shown.
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
#: Characters that show nothing; eight in a row carry data. Emoji have one or two.
INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e01ef]{8}")
CYRILLIC_LIKE_LATIN = frozenset("аеорсухіјѕһԁԛԝАВЕКМНОРСТХІЈЅ")
GREEK_LIKE_LATIN = frozenset("οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")
STYLED_NAMES = 3


def binary_kind(data):
    """elf, pe, macho, wasm, java, dex or None."""
    if data.startswith(b"\x7fELF"):
        return "elf"
    if data.startswith(b"MZ") and len(data) > 64:
        at = int.from_bytes(data[60:64], "little")
        return "pe" if data[at : at + 4] == b"PE\0\0" else None
    if data[:4] in (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"):
        return "macho"
    if data.startswith(b"\xca\xfe\xba\xbe") and len(data) > 8:
        # Java classes begin alike; their next number is a version, not a count of machines.
        return "macho" if int.from_bytes(data[4:8], "big") < 20 else "java"
    return "wasm" if data.startswith(b"\0asm") else "dex" if data.startswith(b"dex\n0") else None


def is_packed_archive(data):
    return data.startswith(ARCHIVES)


def is_noise(data):
    """Whether data in no known packed format looks packed or encrypted (Shannon entropy)."""
    sample = data[:NOISE_SAMPLE]
    if len(sample) < NOISE_BYTES or data.startswith(PACKED):
        return False
    counts = collections.Counter(sample).values()
    bits = -sum(n / len(sample) * math.log2(n / len(sample)) for n in counts)
    return bits > NOISE_BITS


def check_source(data, note):
    """Faults of a Python source that deceive a reader; `note(rule, line)`."""
    if b"\0" in data:
        note("source-nul", data.count(b"\n", 0, data.index(b"\0")) + 1)
        return
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        note("source-encoding", 1)
        return
    if encoding not in ("utf-8", "utf-8-sig", "ascii", "iso-8859-1"):
        # A codec may be any program: `utf-7`, `unicode_escape` and others show a reader other code than Python runs.
        note("source-encoding", 1)
    if data.isascii():
        return
    try:
        decoded = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    for rule, pattern in (("source-bidi", BIDI), ("source-invisible", INVISIBLE)):
        found = pattern.search(decoded)
        if found:
            note(rule, decoded.count("\n", 0, found.start()) + 1)
    _check_names(decoded, note)


def _check_names(decoded, note):
    """Identifiers with letters that look like Latin ones, or that Python reads as other names than they show."""
    suspects = {word for word in re.findall(r"[^\W\d]\w*", decoded) if not word.isascii() and _is_deceptive(word)}
    if not suspects:
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(decoded).readline):
            if token.type == tokenize.NAME and token.string in suspects:
                note("source-homoglyph", token.start[0])
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return


def _is_deceptive(word):
    latin = any(c.isascii() and c.isalpha() for c in word)
    others = [c for c in word if not c.isascii()]
    if latin and all(c in CYRILLIC_LIKE_LATIN or c in GREEK_LIKE_LATIN for c in others):
        return True
    folded = unicodedata.normalize("NFKC", word)
    return folded.isascii() and len(others) >= STYLED_NAMES and len(folded) == len(word)
