"""
Brings every foreign TCP connection to one listener of ours and hands every datagram to its answerer: address translation in
user space. So all ports of all addresses answer, while no port of the machine itself is taken from package code.
"""

import collections
import ipaddress

import sinkhole_packets as packets
from sinkhole_network import OWN_4, OWN_6

#: Bound once on the machine's own address. Below 1024, where package code cannot listen.
LISTEN_PORT = 1
INSIDE_4, INSIDE_6 = int(ipaddress.ip_address("100.64.0.1")), int(ipaddress.ip_address("fd64::1"))
FIRST_PORT, PORTS = 10000, 50000
ENTRIES = 16384


class Entry:
    """One connection: who, to where, and whether our listener has seen it."""

    __slots__ = ("client", "client_port", "target", "port", "inside", "inside_port", "accepted", "key")

    def __init__(self, client, client_port, target, port, number):
        self.client, self.client_port, self.target, self.port = client, client_port, target, port
        base = INSIDE_4 if len(client) == 4 else INSIDE_6
        self.inside = (base + number // PORTS).to_bytes(len(client), "big")
        self.inside_port = FIRST_PORT + number % PORTS
        self.accepted = False
        self.key = (client, client_port, target, port)

    @property
    def address(self):
        return str(ipaddress.ip_address(self.target))


class Gateway:
    """`answer(address, port, payload)` is asked for every datagram: the reply or None. `ping(address)` hears of pings."""

    def __init__(self, link, answer, ping):
        self._link, self._answer, self._ping = link, answer, ping
        self._entries = collections.OrderedDict()
        self._inside = {}
        self._count = 0
        self.forgotten = []

    def fileno(self):
        return self._link.fileno()

    def lost(self):
        return self._link.lost()

    def pump(self, most=256):
        """Handles the packets that wait, at most so many; how many it were."""
        for count in range(most):
            try:
                data = self._link.receive()
            except BlockingIOError:
                return count
            except OSError:
                # A packet socket reports a lost device once.
                return count
            packet = packets.parse(data)
            if packet is not None:
                self._handle(packet)
        return most

    def find(self, peer):
        """The connection behind an accepted socket's peer, or None for one that did not come through here."""
        entry = self._inside.get((ipaddress.ip_address(peer[0]).packed, peer[1]))
        if entry is not None:
            entry.accepted = True
        return entry

    def unanswered(self):
        """Connections whose hand-shake did not come to its end; each is told once."""
        found = self.forgotten + [entry for entry in self._entries.values() if not entry.accepted]
        self.forgotten = []
        for entry in found:
            entry.accepted = True
        return found

    def _handle(self, packet):
        if packet.protocol == packets.TCP and len(packet.segment) >= 20:
            self._handle_tcp(packet)
        elif packet.protocol == packets.UDP and len(packet.segment) >= 8:
            source_port, port = packets.ports(packet.segment)
            address = str(ipaddress.ip_address(packet.target))
            reply = self._answer(address, port, packet.segment[8:])
            if reply is not None and not ipaddress.ip_address(packet.target).is_multicast:
                self._link.send(packets.datagram(packet.target, port, packet.source, source_port, reply))
        else:
            reply = packets.echo_reply(packet)
            if reply is not None:
                self._ping(str(ipaddress.ip_address(packet.target)))
                self._link.send(reply)

    def _handle_tcp(self, packet):
        source_port, port = packets.ports(packet.segment)
        if source_port == LISTEN_PORT and packet.source in (OWN_4, OWN_6):
            entry = self._inside.get((packet.target, port))
            if entry is not None:
                self._link.send(packets.readdress(packet, entry.target, entry.port, entry.client, entry.client_port))
            return
        key = (packet.source, source_port, packet.target, port)
        entry = self._entries.get(key)
        if packet.segment[13] & (packets.SYN | packets.ACK) == packets.SYN:
            # A client's port comes again when its old connection is over; a repeated SYN must stay with its entry.
            if entry is None or entry.accepted:
                entry = self._open(key)
        if entry is not None:
            own = OWN_4 if len(packet.source) == 4 else OWN_6
            self._link.send(packets.readdress(packet, entry.inside, entry.inside_port, own, LISTEN_PORT))

    def _open(self, key):
        old = self._entries.pop(key, None)
        if old is not None:
            self._inside.pop((old.inside, old.inside_port), None)
        if len(self._entries) >= ENTRIES:
            _, old = self._entries.popitem(last=False)
            self._inside.pop((old.inside, old.inside_port), None)
            if not old.accepted and len(self.forgotten) < ENTRIES:
                self.forgotten.append(old)
        entry = self._entries[key] = Entry(*key, self._count)
        self._inside[entry.inside, entry.inside_port] = entry
        self._count += 1
        return entry
