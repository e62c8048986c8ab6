"""The guest's end of the raw data API: frames `u32be length | u8 type | payload` over one serial line.

UML's line stalls for ever once ~4 KB from the host are outstanding, so the host sends small frames and waits for an
ACK after each (docs/protocol.md).
"""

import os
import stat
import termios

HELLO, ACK, EVENT, ITEM, DATA, DONE, BYE = 1, 2, 3, 4, 5, 6, 7
GO, PING, WARM = 16, 17, 18
HOST_FRAMES = frozenset({GO, PING, WARM})
MAX_HOST_FRAME = 2048
DATA_BYTES = 60 * 1024
RECONNECT_SECONDS = 5.0
PORTS = "/sys/class/virtio-ports"


def find_port():
    """UML: the first serial line. QEMU: the virtio port, whose node appears late and under a varying name."""
    import time

    if os.path.exists("/dev/ubda"):
        return "/dev/ttyS0"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for port in os.listdir(PORTS) if os.path.isdir(PORTS) else ():
            with open(f"{PORTS}/{port}/name") as file:
                if file.read().strip() == "pyti" and os.path.exists(f"/dev/{port}"):
                    return f"/dev/{port}"
        time.sleep(0.02)
    raise RuntimeError("no channel to the host")


def open_port():
    """A descriptor of the channel that no program inherits."""
    node = find_port()
    os.chmod(node, 0o600)
    return os.open(node, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


class Channel:
    """One process at a time may use it: what was read ahead is nowhere kept."""

    def __init__(self, descriptor):
        self._fd = descriptor
        self._items = 0
        self._digest = None
        self._is_port = stat.S_ISCHR(os.fstat(self._fd).st_mode) and not os.isatty(self._fd)
        if os.isatty(self._fd):
            attributes = termios.tcgetattr(self._fd)
            control = attributes[6]
            control[termios.VMIN], control[termios.VTIME] = 1, 0
            raw = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, attributes[4], attributes[5], control]
            termios.tcsetattr(self._fd, termios.TCSANOW, raw)

    def hello(self, kernel, python):
        """Both are plain versions; written by hand as the host waits for this, and importing json takes its time."""
        self._send(HELLO, f'{{"version":1,"kernel":"{kernel}","python":"{python}"}}'.encode())

    def receive(self):
        """
        One frame from the host, not yet acknowledged: (type, value). Raises ValueError for what is no host frame, EOFError
        when the host closed the channel.
        """
        import json

        length = int.from_bytes(self._read(4), "big")
        if not 1 <= length <= MAX_HOST_FRAME - 4:
            raise ValueError(f"a host frame of {length} bytes")
        body = self._read(length)
        if body[0] not in HOST_FRAMES:
            raise ValueError(f"a host frame of type {body[0]}")
        try:
            value = json.loads(body[1:])
        except ValueError:
            raise ValueError(f"a host frame of type {body[0]} that is not JSON") from None
        if not isinstance(value, dict) or (body[0] != GO and value):
            raise ValueError(f"a host frame of type {body[0]} with a wrong value")
        return body[0], value

    def acknowledge(self):
        self._send(ACK)

    def event(self, task, state, message=None):
        value = {"task": task, "state": state}
        if message:
            import text

            value["message"] = text.clip(str(message), 500)
        self._send_json(EVENT, value)

    def item(self, name, data, at=None):
        """Announces an item and sends its bytes, unless they are on the output disk from byte `at` on."""
        import hashlib

        if self._digest is None:
            self._digest = hashlib.sha256()
        head = {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if at is not None:
            head["at"] = at
        self._send_json(ITEM, head)
        for start in range(0, len(data) if at is None else 0, DATA_BYTES):
            self._send(DATA, data[start : start + DATA_BYTES])
        self._digest.update(data)
        self._items += 1

    def finish(self):
        import hashlib

        digest = self._digest or hashlib.sha256()
        self._send_json(DONE, {"items": self._items, "sha256": digest.hexdigest()})
        self._send(BYE)
        if os.isatty(self._fd):
            termios.tcdrain(self._fd)

    def fileno(self):
        return self._fd

    def _send(self, kind, payload=b""):
        view = memoryview((1 + len(payload)).to_bytes(4, "big") + bytes([kind]) + payload)
        while view:
            view = view[os.write(self._fd, view) :]

    def _send_json(self, kind, value):
        import json

        self._send(kind, json.dumps(value, separators=(",", ":")).encode())

    def _read(self, count):
        import time

        parts = b""
        patience = None
        while len(parts) < count:
            part = os.read(self._fd, count - len(parts))
            if not part:
                # A virtio port reads as ended while nobody holds its other end: in a restored guest, for a moment.
                patience = patience or time.monotonic() + RECONNECT_SECONDS
                if not self._is_port or time.monotonic() > patience:
                    raise EOFError("the host closed the channel")
                time.sleep(0.005)
            parts += part
        return parts
