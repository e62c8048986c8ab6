"""Reads the recorder's lines. They come from the package's own process: bounded, checked, believed only as far as they go."""

import json
import time

OUTCOMES = frozenset({"passed", "failed", "error", "skipped", "xfailed", "xpassed", "needs-network"})
LINE_BYTES = 64 * 1024
TESTS = 100_000
SILENT_SECONDS = 75.0


class Recording:
    """`executable`: name -> lines that can be said to have run; None when none are asked for."""

    def __init__(self, executable=None):
        self.lines = {}
        self._executable = executable
        self.outcomes = {}
        self.collection_errors = []
        self.running = None
        self.finished = None
        self.hung = False
        #: The package's own process wrote lines the recorder never writes: what it reports from then on is no success.
        self.tampered = False
        self._is_cut = False
        self._rest = bytearray()
        self._heard = time.monotonic()

    def feed(self, data):
        self._heard = time.monotonic()
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest[:LINE_BYTES])
        for line in lines:
            # A node id may be longer than we care to read.
            if len(line) < LINE_BYTES and not self._is_cut and line:
                self.tampered = not self._take(line) or self.tampered
            self._is_cut = False
        self._is_cut = self._is_cut or len(rest) > LINE_BYTES

    def expired(self, now):
        """A test that says nothing for longer than its own alarm allows hangs where no alarm reaches it."""
        if self.running is not None and now - self._heard > SILENT_SECONDS:
            self.hung = True
            return "timeout"
        return None

    def _take(self, line):
        """Whether the recorder can have written the line."""
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if len(self.outcomes) >= TESTS:
            return True
        match row:
            case ["s", str(node)]:
                self.running = node
            # Only a set-up that failed is told without having been announced.
            case ["t", str(node), str(outcome)] if outcome in OUTCOMES and (node == self.running or outcome != "passed"):
                self.outcomes[node] = "error" if self.tampered and outcome == "passed" else outcome
                if node == self.running:
                    self.running = None
            case ["c", str(node), bool(network), missing] if missing is None or isinstance(missing, str):
                if len(self.collection_errors) < TESTS:
                    self.collection_errors.append((node, network, missing))
            case ["l", str(name), [*lines]] if self._executable is not None and all(type(line) is int for line in lines):
                # A line that cannot run is of another file of that name, or made up.
                ran = self._executable.get(name, frozenset()).intersection(lines)
                if ran:
                    self.lines.setdefault(name, set()).update(ran)
            case ["e", int(status)]:
                self.finished = status
                self.running = None
            case _:
                return False
        return True
