"""What was seen, without what differs between two honest runs: sets of small dicts of strings, counts as classes."""

import hashlib
import math
import re

import leaks

EVENTS = 400
EVIDENCE = 64
FIRST_BYTES = 512
KEPT = 65536
OVERLAP = 4096
#: Bytes a phase's full leak search may read (about 0.5 s per MiB); what comes after is searched for plain secrets only.
SEARCHED = 2 * 1024 * 1024
TRAILS = 64
TRAIL_BYTES = 65536

_WORD = re.compile(r"[A-Za-z0-9_+~-]{8,}={0,2}")
_PARTS = re.compile(r"[^A-Za-z0-9]+")
_DIGITS = re.compile(r"\d{7,}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_TEMPORARY = re.compile(r"\btmp[a-z0-9_]{8}\b")
ANY = "{...}"


class Capture:
    """The bytes of one exchange: first part kept, all of it searched while it passes."""

    def __init__(self, records):
        self._records = records
        self._window = bytearray()
        self._hash = hashlib.sha256()
        self.first = b""
        self.size = 0
        self.leaks = {}

    def feed(self, data):
        if len(self.first) < FIRST_BYTES:
            self.first += bytes(data[: FIRST_BYTES - len(self.first)])
        if self.size < KEPT:
            self._hash.update(data[: KEPT - self.size])
        self.size += len(data)
        for start in range(0, len(data), KEPT):
            self._window += data[start : start + KEPT]
            if len(self._window) >= KEPT:
                self.search()
                self._window = self._window[-OVERLAP:]

    def search(self):
        """{bait: encoding} in everything so far."""
        if self._window:
            for name, encoding in self._records.search(bytes(self._window)):
                self.leaks.setdefault(name, encoding)
        return self.leaks

    def window(self):
        return bytes(self._window)

    def digest(self):
        return self._hash.hexdigest()


class Trail:
    """The small pieces that went one way."""

    def __init__(self):
        self.parts, self._size = [], 0

    def add(self, data):
        self._size += len(data) + 1
        if self._size <= TRAIL_BYTES:
            self.parts.append(data)


class Records:
    """All that one phase showed."""

    def __init__(self, baits):
        self._needles = leaks.Needles(baits)
        self.omitted = 0
        self._clear()

    def _clear(self):
        self._events = {}
        self._evidence = []
        self._trails = {}
        self._shown = {}
        self._searched = 0
        self._answers = {}

    def search(self, data):
        """find_leaks within the phase's budget; equal bytes are searched once."""
        key = hashlib.sha256(data).digest()
        if key not in self._answers:
            self._searched += len(data)
            if len(self._answers) > 4096:
                self._answers.clear()
            self._answers[key] = leaks.find_leaks(data, self._needles, self._searched <= SEARCHED)
        return self._answers[key]

    def count(self, event, part=""):
        """One more of an event. Events of one kind that have different `part`s (A and AAAA) count once."""
        key = tuple(sorted(event.items()))
        parts = self._events.get(key)
        if parts is None:
            if len(self._events) >= EVENTS and not event.get("baits"):
                self.omitted += 1
                return
            parts = self._events[key] = {}
        parts[part] = parts.get(part, 0) + 1

    def exchange(self, event, capture):
        """A request or conversation that is over."""
        found = capture.search()
        if found:
            event = {**event, "baits": describe(found)}
        if found:
            self._shown.setdefault(event["to"], set()).update(found)
        new = tuple(sorted(event.items())) not in self._events
        self.count(event)
        if capture.size and (new or found):
            self._keep(event, capture)

    def follow(self, kind, to, data):
        """Small pieces to one destination are searched together when the phase ends."""
        trail = self._trails.get((kind, to))
        if trail is None:
            if len(self._trails) >= TRAILS:
                # Kept: what came first and what comes now.
                self._trails.pop(next(reversed(self._trails)))
                self.omitted += 1
            trail = self._trails[kind, to] = Trail()
        trail.add(data)

    def drain(self):
        """The phase's record; the next one starts empty."""
        for (kind, to), trail in sorted(self._trails.items()):
            if kind == "dns":
                view = leaks.label_views(trail.parts)
            elif len(trail.parts) > 1:
                view = b"".join(trail.parts)
            else:
                continue
            found = {name: encoding for name, encoding in self.search(view) if name not in self._shown.get(to, ())}
            if found:
                self.count({"kind": "dns-leak" if kind == "dns" else "joined-leak", "to": to, "baits": describe(found)})
        events = []
        for key, parts in sorted(self._events.items()):
            number = max(parts.values())
            events.append({**dict(key), "count": "once" if number == 1 else "few" if number < 10 else "many"})
        result = {"events": events, "evidence": self._evidence, "omitted": self.omitted}
        self.omitted = 0
        self._clear()
        return result

    def evidence(self, kind, to, text):
        if len(self._evidence) < EVIDENCE:
            self._evidence.append({"kind": kind, "to": to, "first": text[:FIRST_BYTES]})

    def _keep(self, event, capture):
        if len(self._evidence) >= EVIDENCE:
            # A leak's proof goes before any other evidence.
            place = next((index for index, entry in enumerate(self._evidence) if "baits" not in entry), None)
            self.omitted += 1
            if place is None or "baits" not in event:
                return
            self._evidence.pop(place)
        entry = {"kind": event["kind"], "to": event["to"], "first": escape(capture.first)}
        if "port" in event:
            entry["port"] = event["port"]
        if "baits" in event:
            entry["baits"] = event["baits"]
        self._evidence.append({**entry, "sha256": capture.digest(), "bytes": str(capture.size)})


def describe(found):
    """`ssh-key:base64 netrc:plain`, sorted."""
    return " ".join(f"{name}:{encoding}" for name, encoding in sorted(found.items()))


def escape(data):
    """Bytes as printable ASCII."""
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")[:2048]


def template(text, limit=200):
    """Path or address text without parts that differ from run to run: long numbers, random words."""
    text = "".join(letter if " " <= letter < "\x7f" else "?" for letter in text[:4096])
    text = _TEMPORARY.sub(ANY, _UUID.sub(ANY, text))
    text = _WORD.sub(lambda match: ANY if random_like(match[0]) else match[0], text)
    text = _DIGITS.sub(ANY, text)
    text = re.sub(r"(?:\{\.\.\.\})+", ANY, text)
    return text[:limit]


def template_name(name):
    """A host name; neighbouring random labels become one mark."""
    labels = []
    for label in name.split("."):
        label = ANY if _DIGITS.search(label) or len(label) > 32 or random_like(label) else label
        if label != ANY or labels[-1:] != [ANY]:
            labels.append(label)
    return ".".join(labels)[:200]


def random_like(word):
    """Whether a word, or a part of it between dashes, looks drawn by lot: digits and capitals where people put none."""
    joined = _PARTS.sub("", word)
    mixed = joined != joined.lower() and joined != joined.upper()
    return (mixed and len(joined) >= 12 and _random_part(joined)) or any(
        _random_part(part) for part in _PARTS.split(word) if len(part) >= 8
    )


def _random_part(part):
    switches = sum(one.isdigit() != other.isdigit() for one, other in zip(part, part[1:]))
    if switches >= 3:
        return True
    if len(part) >= 12 and (re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", part) or _capital_runs(part) >= 2):
        return True
    counts = [part.count(letter) / len(part) for letter in set(part)]
    spread = -sum(share * math.log2(share) for share in counts)
    return len(part) >= 20 and spread > (3.4 if switches else 3.8)


def _capital_runs(part):
    return len(re.findall(r"[A-Z]{2,}", part)) + len(re.findall(r"\d+", part))
