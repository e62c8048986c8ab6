"""The server's half of HTTP/1 (RFC 9112), forgiving, with every size bounded."""

import re
import urllib.parse

import sinkhole_answers as answers
import sinkhole_doh
import sinkhole_records as records

HEAD_BYTES = 65536
VERBS = re.compile(rb"[A-Z]{3,12} [^\r\n]{0,8192}? HTTP/1\.[01]\r?\n")
STARTS = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT|PROPFIND) ?")
REASONS = {200: "OK", 204: "No Content", 404: "Not Found", 400: "Bad Request", 100: "Continue"}
STARTS_OF_BYTES = (
    (b"\x1f\x8b\x08", "compressed"), (b"PK\x03\x04", "archive"), (b"BZh", "compressed"), (b"\xfd7zXZ", "compressed"),
    (b"\x78\x9c", "compressed"), (b"\x7fELF", "program"), (b"-----BEGIN", "key"), (b"--", "multipart"),
    (b"SQLite format 3", "database"), (b"\x80\x04", "pickle"), (b"SSH-", "ssh"), (b"PRI * HTTP/2", "http2"),
    (b"\x16\x03", "tls"), (b"NICK ", "irc"), (b"USER ", "login"), (b"PASS ", "login"), (b"CAP LS", "irc"),
    (b"\x05\x01", "socks"), (b"\x04\x01", "socks"), (b"\x13BitTorrent", "bittorrent"), (b"EHLO", "smtp"), (b"HELO", "smtp"),
)  # fmt: skip
_PARTS = re.compile(r"[/?&=#;,]")
COLUMNS = 12


def looks_like(data):
    """Whether the first bytes of a connection start a request."""
    return STARTS.match(data[:10]) is not None or VERBS.match(data) is not None


class Http:
    """`flow` tells where the connection goes; `feed` takes what the client said and returns what to say."""

    protocol = "http"

    def __init__(self, flow, world):
        self._flow, self._world, self._book = flow, world, world.book
        self._buffer = b""
        self._request = None
        self.closed = False
        self.tunnel = None

    def feed(self, data):
        self._buffer += data
        out = []
        while not self.closed and self.tunnel is None:
            step = self._head(out) if self._request is None else self._body(out)
            if not step:
                break
        return b"".join(out)

    def finish(self):
        """The connection is over, or its phase is: what came of an unfinished request is recorded."""
        if self._request is not None:
            self._record(self._request)
        elif self._buffer:
            capture = records.Capture(self._book)
            capture.feed(self._buffer)
            self._book.exchange({**self._flow.event("http"), "state": "unfinished", "first": classify(self._buffer)}, capture)
        self._buffer, self._request = b"", None

    def _head(self, out):
        self._buffer = self._buffer.lstrip(b"\r\n")
        match = re.search(rb"\r?\n\r?\n", self._buffer)
        if match is None:
            if len(self._buffer) > HEAD_BYTES:
                self.finish()
                self.closed = True
            return False
        head, self._buffer = self._buffer[: match.end()], self._buffer[match.end() :]
        request = self._request = Request(head, self._book)
        if request.method == "CONNECT":
            out.append(b"HTTP/1.1 200 OK\r\n\r\n")
            self._record(request)
            self._request, self.tunnel = None, request.target
            return False
        if "100-continue" in request.headers.get("expect", ""):
            out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _body(self, out):
        request = self._request
        self._buffer = request.take(self._buffer)
        if not request.complete:
            return False
        answer = self._record(request)
        self._request = None
        out.append(_response(answer, request.method == "HEAD"))
        self.closed = not request.keeps or request.broken
        return bool(self._buffer)

    def _record(self, request):
        host = request.headers.get("host", "") or self._flow.name or self._flow.address
        name = _host_name(host)
        path = request.target
        if "://" in path[:9]:
            parts = urllib.parse.urlsplit(path)
            name, path = parts.hostname or name, parts.path + (f"?{parts.query}" if parts.query else "")
        flow = self._flow
        answer = sinkhole_doh.answer(flow.name or name, request, path, self._world)
        answer = answer or answers.choose(request.method, name, path or "/", request.headers, self._world.role)
        # A proxy is where the connection goes; the name it is asked for comes with what follows.
        event = flow.event("https" if flow.secure else "http", None if request.method == "CONNECT" else name)
        event.update(method=request.method, path=records.template(path or "/"), served=answer.kind, body=classify(request.first_body))
        event["size"] = size_class(request.body_size)
        if not request.complete:
            event["state"] = "unfinished"
        self._book.exchange(event, request.capture)
        # Column by column: a secret cut into pieces comes in the same place of every request.
        for column, part in enumerate(_PARTS.split(path)[1:COLUMNS]):
            self._book.follow(f"http {column}", event["to"], urllib.parse.unquote_to_bytes(part))
        if 0 < request.body_size <= 2048:
            self._book.follow("http body", event["to"], request.capture.window()[-request.body_size :])
        return answer


class Request:
    """One request: its head, and its body as it comes. The body is captured without its transfer coding."""

    def __init__(self, head, book):
        lines = re.split(r"\r?\n", head.decode("latin-1"))
        words = lines[0].split(" ")
        self.method = words[0][:12] if re.fullmatch(r"[A-Z]{1,12}", words[0]) else "OTHER"
        self.target = " ".join(words[1:-1]) if len(words) > 2 else (words[1] if len(words) > 1 else "/")
        self.headers = {}
        for line in lines[1:200]:
            name, mark, value = line.partition(":")
            if mark:
                self.headers[name.strip().lower()] = value.strip()
        connection = self.headers.get("connection", "").lower()
        self.keeps = "close" not in connection and (words[-1] != "HTTP/1.0" or "keep-alive" in connection)
        self.capture, self.first_body, self.body_size = _captured(head, book), b"", 0
        self.broken = False
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length", "0")
        self._left = int(length) if re.fullmatch(r"[0-9]{1,15}", length) else 0
        self.complete = not self._chunked and self._left == 0
        self._in_chunk = False

    def take(self, data):
        """Reads its part of the bytes; the rest."""
        while data and not self.complete:
            if self._chunked and not self._in_chunk:
                line, mark, rest = data.partition(b"\n")
                if not mark:
                    self.broken = self.complete = len(line) > 1024
                    return data
                size = line.strip().split(b";")[0]
                data = rest
                if not size:
                    continue
                if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
                    self.broken = self.complete = True
                    return data
                self._left, self._in_chunk = int(size, 16), True
                if self._left == 0:
                    self.complete = True
                    # Trailers are rare; what follows the empty line is the next request.
                    return data[2:] if data[:2] == b"\r\n" else data
                continue
            part, data = data[: self._left], data[self._left :]
            self._keep(part)
            self._left -= len(part)
            if self._left == 0:
                self._in_chunk = False
                self.complete = not self._chunked
        return data

    def _keep(self, part):
        self.first_body += part[: 64 - len(self.first_body)]
        self.body_size += len(part)
        self.capture.feed(part)


def classify(data):
    """A word for what bytes are."""
    if not data:
        return "none"
    for start, word in STARTS_OF_BYTES:
        if data.startswith(start):
            return word
    printable = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:64])
    if not printable:
        return "text" if _is_text(data[:64]) else "opaque"
    if data[:1] in b"{[":
        return "stratum" if b'"mining.' in data or b'"login"' in data and b'"method"' in data else "json"
    if re.match(rb"[\w.%~+-]{1,60}=", data):
        return "form"
    if len(data) >= 48 and re.fullmatch(rb"[A-Za-z0-9+/=_-]+", data[:64]):
        return "encoded"
    return "text"


def size_class(size):
    return "none" if size == 0 else "small" if size < 1024 else "medium" if size < 65536 else "large"


def _is_text(data):
    try:
        return all(letter.isprintable() or letter in "\t\r\n" for letter in data.decode("utf-8", "strict"))
    except UnicodeDecodeError:
        return False


def _captured(head, book):
    capture = records.Capture(book)
    capture.feed(head)
    return capture


def _host_name(host):
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].split("]")[0]
    return re.sub(r":\d*$", "", host)[:253]


def _response(answer, head_only):
    head = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'OK')}\r\nServer: nginx\r\nContent-Type: {answer.content_type}\r\n"
    head += f"Content-Length: {len(answer.body)}\r\n\r\n"
    return head.encode() + (b"" if head_only or answer.status == 204 else answer.body)
