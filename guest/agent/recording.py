"""Reads the recorder's lines. They come from the package's own process: bounded, checked, believed only as far as they go."""

import json
import time

OUTCOMES = frozenset({"passed", "failed", "error", "skipped", "xfailed", "xpassed", "needs-network"})
LINE_BYTES = 64 * 1024
TESTS = 100_000
SILENT_SECONDS = 75.0


class Recording:
    def __init__(self):
        self.outcomes = {}
        self.collection_errors = []
        self.running = None
        self.finished = None
        self.hung = False
        self._rest = bytearray()
        self._heard = time.monotonic()

    def feed(self, data):
        self._heard = time.monotonic()
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest[:LINE_BYTES])
        for line in lines:
            if len(line) < LINE_BYTES:
                self._take(line)

    def expired(self, now):
        """A test that says nothing for longer than its own alarm allows hangs where no alarm reaches it."""
        if self.running is not None and now - self._heard > SILENT_SECONDS:
            self.hung = True
            return "timeout"
        return None

    def _take(self, line):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(row, list) or not row or len(self.outcomes) >= TESTS:
            return
        match row:
            case ["s", str(node)]:
                self.running = node
            case ["t", str(node), str(outcome)] if outcome in OUTCOMES:
                self.outcomes[node] = outcome
                if node == self.running:
                    self.running = None
            case ["c", str(node), bool(network), missing] if missing is None or isinstance(missing, str):
                if len(self.collection_errors) < TESTS:
                    self.collection_errors.append((node, network, missing))
            case ["e", int(status)]:
                self.finished = status
                self.running = None
