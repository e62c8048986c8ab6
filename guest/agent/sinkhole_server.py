"""The sinkhole's process: one thread, one loop, everything bounded."""

import json
import selectors
import socket
import struct
import time

import baits as bait_set
import sinkhole_certificates
import sinkhole_flows
import sinkhole_gateway
import sinkhole_names
import sinkhole_network
import sinkhole_records
from sinkhole_http import classify

FLOWS = 512
#: How long a phase's end waits for what is still on its way, and what counts as silence (seconds).
REST_SECONDS, SILENCE_SECONDS = 0.3, 0.01
DNS_PORTS = (53, 5353, 5355)


class World:
    """What every connection shares."""

    def __init__(self, baits, seed, private_dir, ca_file):
        self.book = sinkhole_records.Records(baits)
        self.role = bait_set.metadata_role(baits)
        self.authority = sinkhole_certificates.Authority(seed, private_dir, ca_file)
        self.names = None

    def resolve(self, address, query):
        """Answers and records one DNS message to any resolver; None when it is no query."""
        reply, questions = self.names.answer(query)
        for name, kind in questions:
            self._question(address, name, kind)
        return reply

    def _question(self, address, name, kind):
        """Address questions of both IP versions are one event: which are asked depends on the guest's kernel."""
        text = sinkhole_names.readable(name)
        event = {"kind": "dns", "to": sinkhole_records.template_name(text), "type": "address" if kind in ("A", "AAAA") else kind}
        if address != sinkhole_network.RESOLVER:
            event["resolver"] = sinkhole_records.template_name(self.names.name(address) or address)
        self.book.count(event, kind)
        labels = text.split(".")
        last = labels[-2:] if len(labels) > 2 and not sinkhole_records.random_like(labels[-2]) else labels[-1:]
        domain = ".".join(last)
        if len(labels) > 1:
            self.book.follow("dns", domain, name[: -len(domain) - 1])
        if sinkhole_records.ANY in event["to"]:
            self.book.evidence("dns", event["to"], text)


class Server:
    def __init__(self, world, control):
        self._world, self._control = world, control
        self._link = sinkhole_network.open_link()
        world.names = sinkhole_names.Names(self._link.has_6)
        self.has_6 = self._link.has_6
        self._gateway = sinkhole_gateway.Gateway(self._link, self._datagram, self._ping)
        self._selector = selectors.DefaultSelector()
        self._flows = {}
        self._listeners = [_listen(socket.AF_INET, sinkhole_network.OWN_4)]
        if self._link.has_6:
            self._listeners.append(_listen(socket.AF_INET6, sinkhole_network.OWN_6))
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._gateway, selectors.EVENT_READ, lambda listener: self._gateway.pump())
        self._selector.register(control, selectors.EVENT_READ, None)

    def serve(self):
        """Until the agent hangs up."""
        swept = time.monotonic()
        while True:
            asked = self._step(1.0)
            if asked:
                order = self._control.recv(1)
                if not order:
                    return
                self._rest()
                self._report()
            now = time.monotonic()
            if now - swept > 1.0:
                swept = now
                for flow in [flow for flow in self._flows.values() if flow.expired(now)]:
                    flow.close()
                    self._forget(flow)

    def _step(self, timeout):
        """One round of the loop; True when the agent asks for something."""
        asked = False
        ready = self._selector.select(timeout)
        for key, events in ready:
            if key.data is None:
                asked = True
                continue
            try:
                if isinstance(key.data, sinkhole_flows.Flow):
                    self._serve_flow(key.data, events)
                else:
                    key.data(key.fileobj)
            except Exception:
                # Whatever a packet did to us: the others go on, and the report says that something is missing.
                self._world.book.omitted += 1
        self._busy = len(ready) > asked
        return asked

    def _rest(self):
        """What was sent before the question belongs to the phase that ends."""
        end = time.monotonic() + REST_SECONDS
        while time.monotonic() < end:
            # The agent's own question is always readable by now only if it asks twice, which it does not.
            self._step(SILENCE_SECONDS if self._flows else 0.002)
            if not self._busy:
                break

    def _report(self):
        book = self._world.book
        for flow in self._flows.values():
            flow.report()
        for entry in self._gateway.unanswered():
            name = self._world.names.name(entry.address) or entry.address
            book.count({"kind": "tcp", "to": sinkhole_records.template_name(name), "port": str(entry.port), "protocol": "none"})
        book.omitted += self._gateway.lost() + self._world.names.omitted
        self._world.names.omitted = 0
        text = json.dumps(book.drain(), separators=(",", ":")).encode()
        self._control.settimeout(5)
        self._control.sendall(struct.pack(">I", len(text)) + text)
        self._control.settimeout(None)

    def _accept(self, listener):
        for _ in range(64):
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            entry = self._gateway.find(peer)
            if entry is None:
                self._world.book.count({"kind": "tcp", "to": "sinkhole", "port": str(sinkhole_gateway.LISTEN_PORT), "protocol": "none"})
                connection.close()
                continue
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if len(self._flows) >= FLOWS:
                oldest = min(self._flows.values(), key=lambda flow: flow.active)
                oldest.close()
                self._forget(oldest)
            flow = sinkhole_flows.Flow(connection, entry, self._world, time.monotonic())
            self._flows[connection.fileno()] = flow
            self._selector.register(connection, selectors.EVENT_READ, flow)

    def _serve_flow(self, flow, events):
        if flow.over:
            return
        before = flow.wants_to_write()
        if events & selectors.EVENT_READ:
            flow.readable(time.monotonic())
        if events & selectors.EVENT_WRITE:
            flow.writable()
        if flow.over:
            self._forget(flow)
        elif flow.wants_to_write() != before or events & selectors.EVENT_WRITE:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if flow.wants_to_write() else 0)
            self._selector.modify(flow.socket, wanted, flow)

    def _forget(self, flow):
        if self._flows.pop(flow.socket.fileno(), None) is not None:
            self._selector.unregister(flow.socket)
            flow.socket.close()

    def _datagram(self, address, port, payload):
        book = self._world.book
        if port in DNS_PORTS:
            reply = self._world.resolve(address, payload)
            if reply is not None:
                return reply
        to = sinkhole_records.template_name(self._world.names.name(address) or address)
        capture = sinkhole_records.Capture(book)
        capture.feed(payload)
        book.exchange({"kind": "udp", "to": to, "port": str(port), "first": classify(payload)}, capture)
        book.follow("udp", to, payload)
        return None

    def _ping(self, address):
        name = self._world.names.name(address) or address
        self._world.book.count({"kind": "icmp", "to": sinkhole_records.template_name(name)})


def _listen(family, address):
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((socket.inet_ntop(family, address), sinkhole_gateway.LISTEN_PORT))
    listener.listen(1024)
    return listener
