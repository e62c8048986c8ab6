"""Makes text of package code safe to send and equal on every machine."""

import re

import layout

#: What no two runs have alike, wherever it stands: in paths, in test ids and in what was seen.
ADDRESS = re.compile(r"(?<![0-9A-Za-z])0x[0-9a-fA-F]{5,16}(?![0-9A-Za-z])")
UUID = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
TEMPORARY = re.compile(r"(?<![A-Za-z0-9])(?:tmp|mesonpy-)[a-z0-9_]{8}(?![a-z0-9])")
#: Few words of few letters, as pip's are: without a bound `pip-pip-pip-...` takes the square of its length.
PIP_TEMPORARY = re.compile(r"\bpip-[a-z]{1,20}(?:-[a-z]{1,20}){0,4}-[a-z0-9_]{8}\b")
_PYTEST_TEMPORARY = re.compile(r"/tmp/pytest-of-[^/\s\]]+/pytest-\d+")
#: What coverage appends to the data file of each process: pid and a random number, later also a digest.
_COVERAGE = re.compile(r"\.(?:pid\d+\.X[0-9A-Za-z]{6}x(?:\.H[0-9A-Za-z]{10}h)?|\d+\.\d{6})(?=$|/)")
_PID = re.compile(r"/proc/\d+/")


def readable(name):
    """Text of a file name or other string that may hold bytes that are no UTF-8."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "backslashreplace")
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def units(value):
    """Length as JSON readers in JavaScript count it."""
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def clip(value, limit):
    """At most `limit` UTF-16 units, valid Unicode."""
    value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    if units(value) <= limit:
        return value
    # Of a character that was cut in two, half is left.
    return value.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")


def template_path(path):
    """`/work/venv/lib/python3.13/site-packages/a.py` -> `{site}/a.py`."""
    for prefix, name in layout.TEMPLATES:
        if path == prefix or path.startswith(prefix + "/"):
            return name + path[len(prefix) :]
    return path


def stable_path(path):
    """A templated path without the random parts of temporary names."""
    path = PIP_TEMPORARY.sub("{random}", TEMPORARY.sub("{random}", template_path(readable(path))))
    return _COVERAGE.sub(".{random}", path)


def stable_id(node):
    """A test's node id without addresses, random names and places."""
    node = ADDRESS.sub("{address}", node)
    node = UUID.sub("{uuid}", node)
    node = _PYTEST_TEMPORARY.sub("{tmp}", node)
    for prefix, name in layout.TEMPLATES:
        node = node.replace(prefix, name)
    return _PID.sub("/proc/{pid}/", TEMPORARY.sub("{random}", node))


def excerpt(data, limit=2048, lines=25):
    """The last lines that say something."""
    kept = [line.rstrip() for line in readable(data).splitlines() if line.strip()][-lines:]
    text = "\n".join(kept)
    while len(text.encode()) > limit and "\n" in text:
        text = text.split("\n", 1)[1]
    return clip(text, limit) if len(text.encode()) <= limit else text.encode()[-limit:].decode("utf-8", "ignore")


def canonical_name(name):
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


