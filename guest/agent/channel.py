"""The guest's end of the raw data API: frames `u32be length | u8 type | payload` over one serial line.

UML's line stalls for ever once ~4 KB from the host are outstanding, so the host sends small frames and waits for an
ACK after each (docs/protocol.md).
"""

import glob
import hashlib
import json
import os
import struct
import termios
import time

HELLO, ACK, EVENT, ITEM, DATA, DONE, BYE = 1, 2, 3, 4, 5, 6, 7
GO = 16
MAX_HOST_FRAME = 2048
DATA_BYTES = 60 * 1024


def _find_port():
    """UML: the first serial line. QEMU: the virtio port, whose node appears late and under a varying name."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for name in glob.glob("/sys/class/virtio-ports/*/name"):
            with open(name) as file:
                if file.read().strip() == "pyti":
                    node = "/dev/" + os.path.basename(os.path.dirname(name))
                    if os.path.exists(node):
                        return node
        if os.path.exists("/dev/ubda"):
            return "/dev/ttyS0"
        time.sleep(0.02)
    raise RuntimeError("no channel to the host")


class Channel:
    def __init__(self):
        node = _find_port()
        os.chmod(node, 0o600)
        self._fd = os.open(node, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        if os.isatty(self._fd):
            attributes = termios.tcgetattr(self._fd)
            control = attributes[6]
            control[termios.VMIN], control[termios.VTIME] = 1, 0
            termios.tcsetattr(self._fd, termios.TCSANOW, [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, attributes[4], attributes[5], control])
        self._items = 0
        self._digest = hashlib.sha256()

    def _send(self, kind, payload=b""):
        frame = struct.pack(">IB", 1 + len(payload), kind) + payload
        view = memoryview(frame)
        while view:
            view = view[os.write(self._fd, view):]

    def _send_json(self, kind, value):
        self._send(kind, json.dumps(value, separators=(",", ":")).encode())

    def _read(self, count):
        parts = b""
        while len(parts) < count:
            part = os.read(self._fd, count - len(parts))
            if not part:
                raise EOFError("the host closed the channel")
            parts += part
        return parts

    def hello(self, **fields):
        self._send_json(HELLO, fields)

    def receive(self):
        """One frame from the host, acknowledged: (type, value)."""
        (length,) = struct.unpack(">I", self._read(4))
        if not 1 <= length <= MAX_HOST_FRAME:
            raise ValueError(f"host frame of {length} bytes")
        body = self._read(length)
        self._send(ACK)
        return body[0], json.loads(body[1:] or b"null")

    def event(self, task, state, message=None):
        value = {"task": task, "state": state}
        if message:
            value["message"] = str(message)[:500]
        self._send_json(EVENT, value)

    def item(self, name, data):
        self._send_json(ITEM, {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        for start in range(0, len(data), DATA_BYTES):
            self._send(DATA, data[start:start + DATA_BYTES])
        self._digest.update(data)
        self._items += 1

    def finish(self):
        self._send_json(DONE, {"items": self._items, "sha256": self._digest.hexdigest()})
        self._send(BYE)
        if os.isatty(self._fd):
            termios.tcdrain(self._fd)
