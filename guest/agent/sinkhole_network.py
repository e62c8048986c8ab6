"""
A way out that leads nowhere but to us. With a TUN device (both IP versions) or, where the kernel has none, a default
route through `lo` (IPv4): a packet for a foreign address comes back, finds no owner and is dropped without a word, while
a packet socket has seen it. Loopback addresses keep working as on any machine.
"""

import ctypes
import fcntl
import os
import socket
import struct

OWN_4, OWN_6 = socket.inet_aton("10.0.2.15"), socket.inet_pton(socket.AF_INET6, "fd00:2::15")
RESOLVER = "10.0.2.3"
DEVICE = "eth0"
QUEUE_PACKETS = 8192
QUEUE_BYTES = 16 * 1024 * 1024
PACKET_BYTES = 65536 + 64

NEW_LINK, NEW_ADDRESS, NEW_ROUTE = 16, 20, 24
SIOCSIFTXQLEN = 0x8943
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SO_ATTACH_FILTER, SOL_PACKET, PACKET_STATISTICS = 26, 263, 6
ETHERNET_4 = bytes(12) + b"\x08\0"


def open_link():
    """Sets the network up and returns the link to read foreign packets from. Raises OSError."""
    route = Routes()
    try:
        route.up("lo")
        for path in ("all", "lo", "default"):
            _write(f"/proc/sys/net/ipv4/conf/{path}/rp_filter", "0")
        try:
            tunnel = _open_tunnel()
        except OSError:
            route.address("lo", OWN_4, 32)
            route.default("lo", OWN_4)
            return LoopLink()
        _write(f"/proc/sys/net/ipv6/conf/{DEVICE}/accept_ra", "0")
        route.up(DEVICE)
        route.address(DEVICE, OWN_4, 24)
        route.default(DEVICE, OWN_4)
        six = True
        try:
            route.address(DEVICE, OWN_6, 64)
            route.default(DEVICE, OWN_6)
        except OSError:
            six = False
        return TunnelLink(tunnel, six)
    finally:
        route.close()


class TunnelLink:
    """Packets of a TUN device."""

    def __init__(self, descriptor, six):
        self._descriptor, self.has_6 = descriptor, six
        self._dropped = 0

    def fileno(self):
        return self._descriptor

    def receive(self):
        """One IP packet; BlockingIOError when there is none."""
        return os.read(self._descriptor, PACKET_BYTES)

    def send(self, packet):
        """Hands a packet to the kernel as if it came from outside; what the kernel refuses is lost, as on any wire."""
        try:
            os.write(self._descriptor, packet)
        except OSError:
            pass

    def lost(self):
        """Packets that did not fit into the queue since the last call."""
        try:
            with open("/proc/self/net/dev", encoding="ascii") as file:
                line = next(line for line in file if line.strip().startswith(DEVICE + ":"))
        except (OSError, StopIteration):
            return 0
        total = int(line.split(":")[1].split()[11])
        lost, self._dropped = total - self._dropped, total
        return lost

    def close(self):
        os.close(self._descriptor)


class LoopLink:
    """Foreign packets as they leave through `lo`; IPv4 only, as IPv6 turns a default route through `lo` into a refusal."""

    has_6 = False

    def __init__(self):
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        _attach_filter(self._socket)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, QUEUE_BYTES)  # SO_RCVBUFFORCE
        self._socket.bind(("lo", 3))  # ETH_P_ALL: outgoing packets are seen by no other kind

    def fileno(self):
        return self._socket.fileno()

    def receive(self):
        return self._socket.recv(PACKET_BYTES)[14:]

    def send(self, packet):
        try:
            self._socket.send(ETHERNET_4 + packet)
        except OSError:
            pass

    def lost(self):
        """Packets that did not fit into the queue since the last call."""
        return struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def close(self):
        self._socket.close()


class Routes:
    """Route netlink (rtnetlink(7)): the image has no `ip`."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)

    def up(self, device):
        self._ask(NEW_LINK, 0, struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(device), 1, 1))

    def address(self, device, address, prefix):
        family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
        # 0x02: no duplicate address detection, the address works at once.
        body = struct.pack("=BBBBI", family, prefix, 0x02 if len(address) == 16 else 0, 0, socket.if_nametoindex(device))
        self._ask(NEW_ADDRESS, 0x500, body + _attribute(1, address) + _attribute(2, address))

    def default(self, device, source):
        family = socket.AF_INET if len(source) == 4 else socket.AF_INET6
        body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 3, 253 if len(source) == 4 else 0, 1, 0)
        device_index = struct.pack("=I", socket.if_nametoindex(device))
        self._ask(NEW_ROUTE, 0x500, body + _attribute(4, device_index) + _attribute(7, source))

    def close(self):
        self._socket.close()

    def _ask(self, kind, flags, body):
        # 0x005: request, acknowledge; 0x500: create or replace.
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, 0x005 | flags, 1, 0) + body)
        answer = self._socket.recv(65536)
        error = struct.unpack_from("=i", answer, 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))


def _attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _open_tunnel():
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFTXQLEN, struct.pack("16si20x", DEVICE.encode(), QUEUE_PACKETS))
    return descriptor


def _attach_filter(raw):
    """Only outgoing IPv4 packets that are for no address of this machine (classic BPF)."""
    code = [
        (0x20, 0, 0, 0xFFFFF004),  # the packet's direction
        (0x15, 0, 8, 4),  # is it outgoing?
        (0x28, 0, 0, 12),
        (0x15, 0, 6, 0x0800),
        (0x20, 0, 0, 30),  # destination
        (0x15, 4, 0, int.from_bytes(OWN_4, "big")),
        (0x54, 0, 0, 0xFF000000),
        (0x15, 2, 0, 0x7F000000),
        (0x06, 0, 0, 0x40000),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 0),
    ]
    program = b"".join(struct.pack("HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(program)
    raw.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(code), ctypes.addressof(buffer)))


def _write(path, text):
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError:
        pass
