"""IP, TCP and UDP headers: read and written, both IP versions. Pure."""

import struct
from typing import NamedTuple

ICMP, TCP, UDP, ICMP_6 = 1, 6, 17, 58
SYN, ACK, RST, FIN = 2, 16, 4, 1


class Packet(NamedTuple):
    protocol: int
    source: bytes
    target: bytes
    segment: bytes


def parse(data):
    """The packet, or None for anything but a whole IPv4 or IPv6 packet without extension headers."""
    if len(data) < 20:
        return None
    version = data[0] >> 4
    if version == 4:
        header, total = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big")
        if header < 20 or total < header or total > len(data) or int.from_bytes(data[6:8], "big") & 0x3FFF:
            return None
        return Packet(data[9], data[12:16], data[16:20], data[header:total])
    if version == 6 and len(data) >= 40:
        return Packet(data[6], data[8:24], data[24:40], data[40 : 40 + int.from_bytes(data[4:6], "big")])
    return None


def ports(segment):
    return struct.unpack_from(">HH", segment)


def build(protocol, source, target, segment):
    """An IP packet; the segment's own checksum must be right."""
    if len(source) == 16:
        return struct.pack(">IHBB", 0x60000000, len(segment), protocol, 64) + source + target + segment
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, protocol, 0) + source + target
    return head[:10] + checksum(head) + head[12:] + segment


def readdress(packet, source, source_port, target, target_port):
    """The same TCP segment between other end points. The kernel leaves checksums of local packets open: made anew."""
    segment = bytearray(packet.segment)
    struct.pack_into(">HH", segment, 0, source_port, target_port)
    segment[16:18] = b"\0\0"
    segment[16:18] = checksum(_pseudo(TCP, source, target, len(segment)) + segment)
    return build(TCP, source, target, bytes(segment))


def datagram(source, source_port, target, target_port, payload):
    """A UDP packet."""
    segment = struct.pack(">HHHH", source_port, target_port, 8 + len(payload), 0) + payload
    total = checksum(_pseudo(UDP, source, target, len(segment)) + segment)
    return build(UDP, source, target, segment[:6] + (total if any(total) else b"\xff\xff") + segment[8:])


def echo_reply(packet):
    """The answer to a ping, or None when the packet is none."""
    kinds = {(ICMP, 8): 0, (ICMP_6, 128): 129}
    kind = kinds.get((packet.protocol, packet.segment[0] if packet.segment else -1))
    if kind is None or len(packet.segment) < 8:
        return None
    segment = bytes([kind, 0, 0, 0]) + packet.segment[4:]
    pseudo = _pseudo(ICMP_6, packet.target, packet.source, len(segment)) if packet.protocol == ICMP_6 else b""
    segment = segment[:2] + checksum(pseudo + segment) + segment[4:]
    return build(packet.protocol, packet.target, packet.source, segment)


def checksum(data):
    """RFC 1071: one's complement sums are sums modulo 65,535."""
    number = int.from_bytes(bytes(data) + bytes(len(data) % 2), "big")
    total = number % 65535
    return (0xFFFF - (total or (0xFFFF if number else 0))).to_bytes(2, "big")


def _pseudo(protocol, source, target, length):
    if len(source) == 4:
        return source + target + struct.pack(">HH", protocol, length)
    return source + target + struct.pack(">II", length, protocol)
