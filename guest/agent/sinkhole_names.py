"""
A resolver that knows every name (RFC 1035): each gets its own address out of 198.18.0.0/15 (RFC 2544), and for IPv6 out of
2001:2::/48 (RFC 5180), so that a later connection maps back to the name. Only `.invalid` does not exist.
"""

import hashlib
import ipaddress
import struct

NAMES = 8192
TTL = 60
BASE = int(ipaddress.ip_address("198.18.0.0"))
BASE_6 = int(ipaddress.ip_address("2001:2::"))
KINDS = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 64: "SVCB", 65: "HTTPS", 255: "ANY"}
A, NS, PTR, MX, TXT, AAAA, ANY = 1, 2, 12, 15, 16, 28, 255


class Names:
    """Which name has which address."""

    def __init__(self, has_6):
        self._has_6 = has_6
        self._names = {}
        self.omitted = 0

    def address(self, name):
        """The name's address as a number in the /15; the next free one when two names meet."""
        start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        for step in range(16):
            number = (start + step) % (1 << 17)
            owner = self._names.get(number)
            if owner == name:
                return number
            if owner is None:
                if len(self._names) < NAMES:
                    self._names[number] = name
                else:
                    self.omitted += 1
                return number
        return start % (1 << 17)

    def name(self, address):
        """The name behind an address, or None; a resolver over HTTP goes by its name already."""
        try:
            number = int(ipaddress.ip_address(address))
        except ValueError:
            return None
        return self._names.get(number - (BASE_6 if ":" in address else BASE))

    def answer(self, query):
        """(reply, [(name as asked, type)]) for one message; (None, []) for what is no query."""
        try:
            head = struct.unpack_from(">HHHHHH", query)
            if head[1] & 0x8000 or head[2] == 0:
                return None, []
            asked, end = _read_name(query, 12)
            kind, family = struct.unpack_from(">HH", query, end)
        except (struct.error, IndexError, ValueError):
            return (query[:2] + b"\x81\x81" + bytes(8), []) if len(query) >= 12 and not query[2] & 0x80 else (None, [])
        question = query[12 : end + 4]
        text = readable(asked)
        exists = text != "invalid" and not text.endswith(".invalid")
        records = self._records(text, kind) if exists and family == 1 else []
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", code, 1, TTL, len(data)) + data for code, data in records)
        flags = 0x8180 | (head[1] & 0x7800) | (0 if exists else 3)
        reply = struct.pack(">HHHHHH", head[0], flags, 1, len(records), 0, 0) + question + body
        return reply, [(asked, KINDS.get(kind, f"type-{kind}"))]

    def _records(self, name, kind):
        if name == "localhost" or name.endswith(".localhost"):
            return [(A, b"\x7f\0\0\1")] if kind in (A, ANY) else []
        if kind in (A, ANY):
            return [(A, (BASE + self.address(name)).to_bytes(4, "big"))]
        if kind == AAAA:
            number = self.address(name)
            return [(AAAA, (BASE_6 + number).to_bytes(16, "big"))] if self._has_6 else []
        if kind == TXT:
            return [(TXT, _text("v=spf1 -all"))]
        if kind == MX:
            return [(MX, b"\0\x0a\x04mail\xc0\x0c")]
        if kind == NS:
            return [(NS, b"\x03ns1\xc0\x0c")]
        if kind == PTR:
            return [(PTR, _labels(self._pointer(name)))]
        return []

    def _pointer(self, name):
        parts = name.split(".")
        if parts[-2:] == ["in-addr", "arpa"] and len(parts) == 6:
            try:
                address = str(ipaddress.ip_address(".".join(reversed(parts[:4]))))
            except ValueError:
                return "host.test"
            return self.name(address) or f"host-{address.replace('.', '-')}.test"
        return "host.test"


def readable(name):
    """A name from the wire as text: lower case, printable."""
    text = "".join(chr(byte) if 0x21 <= byte < 0x7F else f"\\{byte:03d}" for byte in name)
    return text.lower() or "."


def _read_name(data, place):
    labels, size = [], 0
    while True:
        length = data[place]
        place += 1
        if length == 0:
            return b".".join(labels), place
        if length > 63 or place + length > len(data):
            raise ValueError("not a label")
        size += length + 1
        if size > 254:
            raise ValueError("the name is too long")
        labels.append(data[place : place + length])
        place += length


def _labels(name):
    parts = [part.encode("ascii", "replace")[:63] for part in name.split(".") if part]
    return b"".join(bytes([len(part)]) + part for part in parts)[:254] + b"\0"


def _text(value):
    return bytes([len(value)]) + value.encode()
