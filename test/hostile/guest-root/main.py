"""
An agent that has been taken over: PID 1 and root of the guest, it greets the host like the real one and then runs the
Python source `files/attack.py` of its job disk. Only the hostile suite puts it into an image.

What an attack may use: `host` (the channel), `libc`, the modules imported here, and `call(name, function)` to note how
something that should be refused ended. `begin()` and the answer tell the suite that the attack really ran.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import socket
import stat
import struct
import sys
import tarfile
import termios
import time
import traceback

HELLO, ACK, EVENT, ITEM, DATA, DONE, BYE = 1, 2, 3, 4, 5, 6, 7
GO = 16
HEADER = 4096
BLKFLSBUF = 0x1261
libc = ctypes.CDLL(None, use_errno=True)
for kind, target in (("proc", "/proc"), ("devtmpfs", "/dev"), ("sysfs", "/sys")):
    os.makedirs(target, exist_ok=True)
    libc.mount(kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(0), None)
IS_UML = os.path.exists("/dev/ubda")
DISKS = {name: ("/dev/ubd" if IS_UML else "/dev/vd") + letter for name, letter in (("base", "a"), ("job", "b"), ("output", "c"))}
EMPTY = hashlib.sha256(b"").hexdigest()


def frame(kind, payload=b""):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return struct.pack(">IB", 1 + len(body), kind) + body


class Host:
    """The channel without any manners."""

    def __init__(self):
        self.path = "/dev/ttyS0" if IS_UML else self._port()
        self.fd = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
        if os.isatty(self.fd):
            speed = termios.tcgetattr(self.fd)
            control = speed[6]
            control[termios.VMIN], control[termios.VTIME] = 1, 0
            termios.tcsetattr(self.fd, termios.TCSANOW, [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed[4], speed[5], control])

    @staticmethod
    def _port():
        while True:
            for name in os.listdir("/sys/class/virtio-ports"):
                if os.path.exists(f"/dev/{name}"):
                    return f"/dev/{name}"
            time.sleep(0.02)

    def raw(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                time.sleep(0.001)

    def send(self, kind, payload=b""):
        self.raw(frame(kind, payload))

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                part = os.read(self.fd, count - len(data))
            except BlockingIOError:
                continue
            if not part:
                time.sleep(0.01)
            data += part
        return data

    def receive(self):
        body = self.read(struct.unpack(">I", self.read(4))[0])
        return body[0], json.loads(body[1:])

    def event(self, message, state="progress"):
        self.send(EVENT, {"task": "setup", "state": state, "message": message[:400]})

    def item(self, name, data, **more):
        self.send(ITEM, {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more})

    def answer(self, value):
        """An orderly end."""
        data = json.dumps(value).encode()
        self.item("guest.json", data)
        for start in range(0, len(data), 60000):
            self.send(DATA, data[start : start + 60000])
        self.send(DONE, {"items": 1, "sha256": hashlib.sha256(data).hexdigest()})
        self.send(BYE)


def call(results, name, function):
    """Notes the name of the error or what came back."""
    try:
        results[name] = f"done {function()!r}"[:200]
    except OSError as error:
        results[name] = errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        results[name] = type(error).__name__


def mount(source, target, kind, flags=0, options=""):
    os.makedirs(target, exist_ok=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return "mounted"


def read_attack():
    descriptor = os.open(DISKS["job"], os.O_RDONLY)
    fcntl.ioctl(descriptor, BLKFLSBUF)
    with open(descriptor, "rb") as disk:
        disk.seek(HEADER)
        with tarfile.open(fileobj=disk, mode="r|") as archive:
            for member in archive:
                if member.name == "files/attack.py":
                    return archive.extractfile(member).read().decode()
    raise ValueError("no attack on the job disk")


def main():
    host = Host()
    # `init` may have handed a descriptor of the line over: an attack that closes the channel is to close all of it.
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != host.fd:
            call({}, name, lambda: os.close(int(name)))
    host.send(HELLO, {"version": 1, "kernel": os.uname().release, "python": sys.version.split()[0]})
    while True:
        kind, _ = host.receive()
        if kind == GO:
            break
        host.send(ACK)
    source = read_attack()
    if not source.startswith("# before the ACK"):
        host.send(ACK)
        host.event("begins")
        host.event("", "end")
    try:
        exec(compile(source, "attack.py", "exec"), {**globals(), "host": host})
    except BaseException:
        host.event(f"attack failed: {traceback.format_exc()[-350:]}")
    libc.reboot(0x4321FEDC)


main()
