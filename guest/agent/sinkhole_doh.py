"""Name questions over streams: DNS over TCP (RFC 7766) and TLS, and over HTTP (RFC 8484, and the JSON dialect)."""

import base64
import json
import struct
import urllib.parse

import sinkhole_records as records
from sinkhole_answers import Answer


class Stream:
    """A TCP conversation with a resolver; what is no query is recorded as any other conversation."""

    protocol = "dns"

    def __init__(self, flow, world):
        self._flow, self._world = flow, world
        self._buffer = b""
        self._capture = records.Capture(world.book)
        self.closed, self.tunnel = False, None

    def feed(self, data):
        self._capture.feed(data)
        self._buffer += data
        out = []
        while len(self._buffer) >= 2:
            length = int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < 2 + length:
                break
            query, self._buffer = self._buffer[2 : 2 + length], self._buffer[2 + length :]
            reply = self._world.resolve(self._flow.address, query)
            if reply is None:
                self.closed = True
                break
            out.append(struct.pack(">H", len(reply)) + reply)
        return b"".join(out)

    def finish(self):
        if self._capture.size:
            self._world.book.exchange(self._flow.event("dns"), self._capture)
            self._capture = records.Capture(self._world.book)


def answer(host, request, path, world):
    """The Answer to a name question in a request, or None when it is something else."""
    plain, _, query = path.partition("?")
    if plain not in ("/dns-query", "/resolve"):
        return None
    fields = dict(urllib.parse.parse_qsl(query, max_num_fields=20)) if query.count("&") < 20 else {}
    try:
        if "dns" in fields:
            question = base64.urlsafe_b64decode(fields["dns"] + "=" * (-len(fields["dns"]) % 4))
        elif "name" in fields:
            return _as_json(host, fields["name"], world)
        else:
            question = request.capture.window()[-request.body_size :] if 0 < request.body_size < 4096 else b""
        reply = world.resolve(host, question)
    except ValueError:
        return None
    return Answer(200, "dns", "application/dns-message", reply) if reply is not None else None


def _as_json(host, name, world):
    labels = [label.encode("ascii", "replace")[:63] for label in name.rstrip(".").split(".") if label]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0\0\1\0\1"
    reply = world.resolve(host, struct.pack(">HHHHHH", 0, 0x100, 1, 0, 0, 0) + question)
    found = [{"name": name, "type": 1, "TTL": 60, "data": ".".join(str(part) for part in reply[-4:])}] if reply[7] else []
    return Answer(200, "dns", "application/dns-json", json.dumps({"Status": reply[3] & 15, "Answer": found}).encode())
