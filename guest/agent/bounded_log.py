"""A log that never grows beyond its limit: the first half and the last half of what was written."""


#: Half the room for the line that says how much was left out.
MARK_BYTES = 32


class BoundedLog:
    def __init__(self, limit):
        self.half = max(1, limit // 2)
        self.head = bytearray()
        self.tail = bytearray()
        self.total = 0

    def write(self, data):
        self.total += len(data)
        room = self.half - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        if data:
            self.tail += data[-self.half :]
            if len(self.tail) > 2 * self.half:
                del self.tail[: -self.half]

    def note(self, text):
        """A line of the agent itself."""
        self.write(f"[pyti] {text}\n".encode("utf-8", "backslashreplace"))

    def recent(self, limit=65536):
        """The last bytes, for looking at how a program ended."""
        if self._omitted() or len(self.tail) >= limit:
            return bytes(self.tail[-min(limit, self.half) :])
        return bytes((self.head + self.tail)[-limit:])

    def content(self):
        omitted = self._omitted()
        if not omitted:
            return bytes(self.head + self.tail)
        kept = max(0, self.half - MARK_BYTES)
        mark = b"\n[pyti] ... %d bytes left out ...\n" % (self.total - 2 * kept)
        return bytes(self.head[:kept]) + mark + bytes(self.tail[len(self.tail) - kept :])

    def _omitted(self):
        return max(0, self.total - len(self.head) - self.half)
