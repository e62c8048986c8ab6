"""
What was seen of one task, as a set: the same events of two honest runs give the same rows, whatever the order, the pids and the
random names were. Templating too much only costs words, templating too little costs the agreement of volunteers.
"""

import hashlib
import json
import re

import layout
import text

LIMIT = 2000
WORD_UNITS = 1000
#: Of a word while its task runs. Pids have more or fewer digits from run to run, and which numbers are pids is known at the end.
HELD_UNITS = 2 * WORD_UNITS
#: Of all rows as JSON: eleven tasks and four other dates must fit into the raw data's 16 MiB beside everything else.
ROWS_BYTES = 384 * 1024
FEW, MANY = 2, 10
#: Distinct events of one kind held at once: more than can be told, so that which are told does not depend on the order.
HELD = 2 * LIMIT
OMITTED_MOST = 100_000
KINDS = frozenset({
    "exec", "connect", "listen", "name", "request", "bait-read", "bait-left", "identity-read", "code", "native", "marshal", "hook",
    "process-memory", "memory-file", "make-executable", "kill", "privilege", "left-running", "marker-run", "tamper",
})  # fmt: skip
#: Their `what` is a digest or a word of ours: nothing in it is random.
LITERAL = frozenset({"code", "marshal", "bait-read", "bait-left", "marker-run"})

_PLACES = (*layout.TEMPLATES, ("/var/tmp", "{tmp}"), ("/tmp", "{tmp}"))
_PLACE = re.compile("(?<![\\w.{}-])(?:" + "|".join(re.escape(prefix) for prefix, _ in _PLACES) + r")(?![\w.-])")
_NAMED = dict(_PLACES)
_PYTEST = re.compile(r"\{tmp\}/pytest-of-[^/\s]+/pytest-\d+")
_COMPILER = re.compile(r"(\{tmp\}/cc)[A-Za-z0-9]{6}\b")
_RULES = (
    (text.UUID, "{uuid}"),
    (text.ADDRESS, "{address}"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d[:-]\d\d(?:[:-]\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\d-])"), "{time}"),
    (text.PIP_TEMPORARY, "{random}"),
    (text.TEMPORARY, "{random}"),
    (re.compile(r"(?<![A-Za-z0-9])tmp\.[A-Za-z0-9]{6,12}(?![A-Za-z0-9])"), "{random}"),
    (re.compile(r"(/proc/|/dev/fd/|\bpid[=:_ -]?)\d+", re.I), r"\1{number}"),
    (re.compile(r"(/fd/|/task/|\b(?:tracker_fd|pipe_handle|parent_pid|fd)=|\bmain\(|\b(?:pipe|socket|anon_inode):\[)\d+"), r"\1{number}"),
    (re.compile(r"(--jobserver-(?:auth|fds)=)\S+"), r"\1{random}"),
    (re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}(?![0-9A-Za-z])"), "{hex}"),
    (re.compile(r"(?<!\d)\d{6,}(?:\.\d+)?(?!\d)"), "{number}"),
)
#: Short numbers are pids only where they stand alone: `AVX512_ICL` and `cpython-313-x86_64` are not.
_PID = re.compile(r"(?<!\d)(?<!\d\.)(?:\d{5,10}(?!\d)|(?<![A-Za-z_])\d{3,4}(?![\w])(?!-[a-z]))(?!\.\d)")
_TEMPORARY_PATH = re.compile(r"(?<=\{tmp\}/)[^\s'\":;,]+")
#: `tempfile` puts eight letters and digits between a prefix and a suffix.
_PREFIXED = re.compile(r"tmp([a-z0-9_]{8})")
_SUFFIX = re.compile(r"[a-z0-9_]{8}(?=$|\.)")
#: Which letter follows which in words: of 5,000 random ends of eight letters and digits hardly one passes.
_FOLLOWERS = (
    "abcdgiklmnprstuvy baeiloruy caehikloruty daeiorusy eacdefglmnprstvwxy faefilorut gaehilorun haeiotry icdefglmnoprstvz jaeou kaeilnosuy "
    "laeidlotyusp maeiopbmus nacdegiklnostuy oacdfgklmnoprstuvwb paehiloprtuy qu racdegiklmnorstuvy saceghiklmopqstuwy tacehiorstuwy "
    "ubcdegilmnprst vaeio waeionhr xaeipt yelmnopst zaeioz"
)
_PAIRS = frozenset(word[0] + letter for word in _FOLLOWERS.split() for letter in word[1:])
_WORD = re.compile(r"([a-z]+)\d{0,2}")


def template(value):
    """Text without what differs from run to run: places, random names, pids, addresses, times, long numbers."""
    value = _PLACE.sub(lambda match: _NAMED[match[0]], value)
    value = _COMPILER.sub(r"\1{random}", _PYTEST.sub("{tmp}", value))
    for pattern, replacement in _RULES:
        value = pattern.sub(replacement, value)
    return _TEMPORARY_PATH.sub(lambda match: "/".join(map(_temporary, match[0].split("/"))), value)


def normalise(value, literal=False):
    """Any string or bytes of package code -> valid text of at most HELD_UNITS; templated unless it is ours."""
    # This cut only bounds the work: what it could split is far beyond those that are seen.
    value = value[: 16 * WORD_UNITS]
    try:
        value = text.readable(value)
    except UnicodeEncodeError:
        value = value.encode("utf-8", "backslashreplace").decode()
    return text.clip(value if literal else template(value), HELD_UNITS)


def source_digest(source):
    """SHA-256 of a source; one that holds addresses, times or random names counts as without them."""
    plain = source.decode("utf-8", "backslashreplace")
    settled = template(plain)
    return hashlib.sha256(source if settled == plain else settled.encode("utf-8", "backslashreplace")).hexdigest()


def _temporary(part):
    """A component below a temporary folder without the random name `tempfile` gives it."""
    prefixed = _PREFIXED.match(part)
    if prefixed and not _is_words(prefixed[1]):
        return f"{{random}}{part[prefixed.end() :]}"
    match = _SUFFIX.search(part)
    if match is None or _is_words(match[0]):
        return part
    return f"{part[: match.start()]}{{random}}{part[match.end() :]}"


def _is_words(letters):
    words = [_WORD.fullmatch(word) for word in letters.strip("_").split("_")]
    return all(word and all(pair in _PAIRS for pair in map("".join, zip(word[1], word[1][1:]))) for word in words)


class Events:
    """The events of one task. Bounded whatever package code does."""

    def __init__(self):
        self._counts = {}
        self._known = set()
        self._pids = set()

    def add(self, kind, what, by=None, at=None, times=1):
        """Notes an event `times` times. Raises ValueError for a kind the raw data does not know."""
        if kind not in KINDS:
            raise ValueError(f"no such kind of event: {kind}")
        key = (
            normalise(what, kind in LITERAL),
            None if by is None else normalise(by),
            None if at is None else normalise(at),
        )
        if key[0]:
            self._count(kind, key, times)

    def _count(self, kind, key, times):
        of_kind = self._counts.setdefault(kind, {})
        of_kind[key] = of_kind.get(key, 0) + times
        if len(self._known) < OMITTED_MOST + LIMIT:
            self._known.add(hash((kind, key)))
        if len(of_kind) > 2 * HELD:
            self._counts[kind] = {key: of_kind[key] for key in sorted(of_kind, key=_order)[:HELD]}

    def merge(self, other):
        """Takes in the events of another set."""
        for kind, of_kind in other._counts.items():
            for key, times in of_kind.items():
                self._count(kind, key, times)
        self._pids |= other._pids

    def merge_new(self, other):
        """Takes in what another set has and this one has not: how often it is there does not change what is here already."""
        self._pids |= other._pids
        here = self._settled()
        for kind, of_kind in other._counts.items():
            for key, times in of_kind.items():
                if self._settled_key(kind, key) not in here.get(kind, ()):
                    self._count(kind, key, times)

    def know_pids(self, pids):
        """Numbers that are pids of the task: text such as `sh -c "echo $$"` and names of temporary sockets have them."""
        self._pids |= pids

    def _settle(self, key):
        def replace(match):
            return "{pid}" if int(match[0]) in self._pids else match[0]

        what, by, at = key
        return _PID.sub(replace, what), by and _PID.sub(replace, by), at

    def _settled(self):
        counts = {}
        for kind, of_kind in self._counts.items():
            here = counts.setdefault(kind, {})
            for key, times in of_kind.items():
                key = self._settled_key(kind, key)
                here[key] = here.get(key, 0) + times
        return counts

    def _settled_key(self, kind, key):
        key = key if kind in LITERAL or _has_port(kind, key[0]) else self._settle(key)
        return tuple(value and text.clip(value, WORD_UNITS) for value in key)

    def rows(self):
        """(rows, how many were omitted). A flood of one kind does not push out the others: each gets its share."""
        counts = self._settled()
        queues = {kind: sorted(of_kind, key=_order) for kind, of_kind in sorted(counts.items())}
        merged = sum(map(len, self._counts.values())) - sum(map(len, counts.values()))
        room, space, chosen = LIMIT, ROWS_BYTES, {}
        # The smallest kinds first, so that what they leave goes to the larger.
        for position, kind in enumerate(sorted(queues, key=lambda kind: (len(queues[kind]), kind))):
            rest = len(queues) - position
            rows = [_row(kind, key, counts[kind][key]) for key in queues[kind][: room // rest]]
            chosen[kind], taken = _prefix(rows, space // rest)
            room -= len(chosen[kind])
            space -= taken
        rows = [row for kind in queues for row in chosen[kind]]
        return rows, min(OMITTED_MOST, max(0, len(self._known) - merged - len(rows)))


def _prefix(rows, space):
    """(the first rows that fit, bytes they take as JSON)."""
    taken = 0
    for count, row in enumerate(rows):
        size = len(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
        if taken + size > space:
            return rows[:count], taken
        taken += size
    return rows, taken


def _has_port(kind, what):
    """A port may be some process' pid by accident."""
    return kind in ("connect", "listen", "name", "request") and not what.startswith("unix ")


def _row(kind, key, times):
    what, by, at = key
    row = {"kind": kind, "what": what, "by": by, "at": at}
    row["times"] = "many" if times >= MANY else "few" if times >= FEW else "once"
    return {name: value for name, value in row.items() if value is not None}


def _order(key):
    """Code points of the UTF-16 form, as JavaScript sorts, absent before present."""
    return tuple((value is not None, (value or "").encode("utf-16-be")) for value in key)
