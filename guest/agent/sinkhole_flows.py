"""One accepted connection: finds out what is spoken (TLS, HTTP, other), whatever the port, and keeps every limit."""

import struct

import sinkhole_doh
import sinkhole_http
import sinkhole_records as records
import sinkhole_talk

#: Seconds without a byte, and seconds in all, after which a connection is closed.
IDLE_SECONDS, LIFE_SECONDS = 20.0, 120.0
HELLO_BYTES = 16384 + 5
WAITING_BYTES = 256 * 1024
READ_BYTES = 65536


class Flow:
    """`entry` is the gateway's; `now` a monotonic clock's time when the connection was accepted."""

    def __init__(self, socket, entry, world, now):
        self.socket, self._world = socket, world
        self.address, self.port = entry.address, entry.port
        self.name = world.names.name(self.address)
        self.secure = False
        self.server_name = None
        self.started = self.active = now
        self._tls = self._incoming = self._outgoing = None
        self._hello = b""
        self._talk = None
        self._out = b""
        #: What was spoken before the client asked for TLS.
        self._spoken = None
        self.over = False
        self._recorded = False
        greeting = sinkhole_talk.GREETINGS.get(self.port)
        if greeting and self.port not in sinkhole_talk.SECURE:
            self._greet(greeting)

    def event(self, protocol, host=None):
        """The stable part of every event of this connection."""
        to = self.name or self.server_name or host or self.address
        event = {"kind": "tcp", "to": records.template_name(to), "port": str(self.port), "protocol": protocol}
        for key, value in (("sni", self.server_name), ("host", host)):
            if value and value not in (to, self.address):
                event[key] = records.template_name(value)
        return event

    def readable(self, now):
        """Reads what is there. Any surprise ends this connection only."""
        try:
            data = self.socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self.active = now
        try:
            self._receive(data)
        except Exception:
            self._world.book.omitted += 1
            self.close()

    def writable(self):
        try:
            self._out = self._out[self.socket.send(self._out) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.over = True

    def wants_to_write(self):
        return bool(self._out)

    def expired(self, now):
        return now - self.active > IDLE_SECONDS or now - self.started > LIFE_SECONDS

    def report(self):
        """Records what is not yet recorded; the connection may go on."""
        try:
            if self._talk is not None:
                self._talk.finish()
            elif not self._recorded or self._hello:
                self._report_beginning()
        except Exception:
            self._world.book.omitted += 1

    def close(self):
        if not self.over:
            self.over = True
            self.report()

    def _report_beginning(self):
        """A connection that said nothing, or no whole TLS hello, or broke off the hand-shake."""
        capture = records.Capture(self._world.book)
        capture.feed(self._hello)
        started_tls = self._tls is not None or self._hello[:1] == b"\x16"
        event = self.event("tls" if started_tls else "tcp")
        event.update(first=sinkhole_http.classify(self._hello) if self._hello else "none", size=sinkhole_http.size_class(capture.size))
        if started_tls:
            event["state"] = "refused" if self._tls is not None else "unfinished"
        self._world.book.exchange(event, capture)
        self._recorded, self._hello = True, b""

    def _receive(self, data):
        if self._tls is not None:
            self._incoming.write(data)
            self._pump_tls()
        elif self._talk is None:
            self._hello += data
            self._begin()
        else:
            self._say(self._talk.feed(data))
            self._after_talk()

    def _begin(self):
        """Decides by the first bytes; waits for more while they may still become a TLS hello."""
        hello = self._hello
        if hello[0] == 0x16 and (len(hello) < 3 or hello[1] == 3):
            if len(hello) >= 5:
                length = int.from_bytes(hello[3:5], "big")
                if len(hello) >= 5 + length or len(hello) > HELLO_BYTES:
                    self._start_tls(hello)
            return
        if len(hello) < 4 and self.port not in (53, 853) and sinkhole_http.STARTS.match(hello + b" ") is None and hello.isalpha():
            return
        self._hello = b""
        self._start_talk(hello)

    def _start_talk(self, data):
        if self._spoken is not None:
            self._talk = sinkhole_talk.Talk(self, self._world.book, self._spoken)
        elif self.port in (53, 853):
            self._talk = sinkhole_doh.Stream(self, self._world)
        elif sinkhole_http.looks_like(data):
            self._talk = sinkhole_http.Http(self, self._world)
        else:
            self._talk = sinkhole_talk.Talk(self, self._world.book, "tcp")
        self._say(self._talk.feed(data))
        self._after_talk()

    def _greet(self, greeting):
        self._talk = sinkhole_talk.Talk(self, self._world.book, greeting[0])
        self._say(greeting[1])

    def _after_talk(self):
        talk = self._talk
        if talk.tunnel is not None:
            # An HTTP proxy's client: what follows is for the target.
            host, _, port = talk.tunnel.rpartition(":")
            self.name, self.port = host.strip("[]").lower()[:253] or self.name, int(port) if port.isdigit() else self.port
            self._talk = None
        elif getattr(talk, "upgrade", False):
            talk.finish()
            self._talk, self._spoken = None, talk.protocol
        elif talk.closed:
            talk.finish()
            self._finish_writing()

    def _finish_writing(self):
        self.writable()
        self.over = True

    def _start_tls(self, hello):
        import ssl

        self.server_name = server_name(hello)
        context = self._world.authority.context(self.server_name or self.name or self.address)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(hello)
        self._pump_tls()

    def _pump_tls(self):
        import ssl

        try:
            if not self.secure:
                self._tls.do_handshake()
                self.secure, self._hello = True, b""
                greeting = sinkhole_talk.GREETINGS.get(self.port)
                if greeting and self.port in sinkhole_talk.SECURE:
                    self._greet(greeting)
            while not self.over:
                data = self._tls.read(READ_BYTES)
                if not data:
                    self.close()
                elif self._talk is None:
                    self._start_talk(data)
                else:
                    self._say(self._talk.feed(data))
                    self._after_talk()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            # The client does not trust us, or sent garbage: the alert goes out, the attempt is recorded.
            self._flush_tls()
            self.close()
        self._flush_tls()

    def _say(self, data):
        if not data:
            return
        if self.secure:
            self._tls.write(data)
            self._flush_tls()
        else:
            self._send(data)

    def _flush_tls(self):
        data = self._outgoing.read()
        if data:
            self._send(data)

    def _send(self, data):
        self._out += data
        if len(self._out) > WAITING_BYTES:
            # Asks and never listens.
            self.close()
            return
        self.writable()


def server_name(hello):
    """The server name in a TLS ClientHello (RFC 6066), or None."""
    try:
        place = 5 + 4 + 2 + 32
        place += 1 + hello[place]
        place += 2 + struct.unpack_from(">H", hello, place)[0]
        place += 1 + hello[place]
        end = place + 2 + struct.unpack_from(">H", hello, place)[0]
        place += 2
        while place + 4 <= end:
            kind, length = struct.unpack_from(">HH", hello, place)
            if kind == 0:
                size = struct.unpack_from(">H", hello, place + 7)[0]
                name = hello[place + 9 : place + 9 + size].decode("ascii").lower()
                return name if 0 < len(name) <= 253 and name.isprintable() else None
            place += 4 + length
    except (IndexError, struct.error, UnicodeDecodeError):
        pass
    return None
