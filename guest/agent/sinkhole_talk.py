"""Conversations that are no HTTP: mail, files, chat, mining, and whatever else a package says."""

import sinkhole_records as records
from sinkhole_http import classify, size_class

LINE_BYTES = 4096
TALK_BYTES = 65536
#: Protocols whose server speaks first, by port.
GREETINGS = {
    21: ("ftp", b"220 FTP server ready\r\n"),
    23: ("telnet", b"login: "),
    **dict.fromkeys((22, 2222), ("ssh", b"SSH-2.0-OpenSSH_9.2p1\r\n")),
    **dict.fromkeys((25, 465, 587, 2525), ("smtp", b"220 mail ESMTP\r\n")),
    **dict.fromkeys((110, 995), ("pop3", b"+OK ready\r\n")),
    **dict.fromkeys((143, 993), ("imap", b"* OK ready\r\n")),
}
#: TLS comes before the greeting on these.
SECURE = (465, 993, 995)
FTP = {"USER": "331 password", "PASS": "230 logged in", "PWD": '257 "/"', "TYPE": "200 ok", "SYST": "215 UNIX Type: L8", "QUIT": "221 bye",
       "PASV": "502 no", "EPSV": "502 no", "STOR": "550 no", "RETR": "550 no"}  # fmt: skip


class Talk:
    """Anything but HTTP. One event for the whole conversation of a phase."""

    def __init__(self, flow, book, protocol):
        self._flow, self._book, self.protocol = flow, book, protocol
        self._capture = records.Capture(book)
        self._line = b""
        self._in_mail, self._logins = False, 0
        self._answered = 0
        self.closed = self.upgrade = False
        self.tunnel = None
        self._told = False

    def feed(self, data):
        if self.protocol == "tcp":
            self.protocol = {"irc": "irc", "stratum": "stratum", "ssh": "ssh", "socks": "socks"}.get(classify(data), "tcp")
            if data[:4] in (b"PING", b"*1\r\n", b"*2\r\n", b"*3\r\n", b"AUTH"):
                self.protocol = "redis"
        self._capture.feed(data)
        if self._capture.size <= TALK_BYTES:
            self._book.follow("tcp", self._flow.event("tcp")["to"], data)
        out, self._line = [], self._line + data
        while b"\n" in self._line and self._answered < 1000:
            line, self._line = self._line.split(b"\n", 1)
            self._answered += 1
            out.append(self._reply(line.strip().decode("latin-1")[:LINE_BYTES]))
            if self.upgrade:
                self._line = b""
                break
        self._line = self._line[-LINE_BYTES:]
        return b"".join(out)

    def finish(self):
        if self._told and not self._capture.size:
            return
        event = self._flow.event(self.protocol + ("s" if self._flow.secure else ""))
        event.update(first=classify(self._capture.first), size=size_class(self._capture.size))
        self._book.exchange(event, self._capture)
        self._capture, self._told = records.Capture(self._book), True

    def _reply(self, line):
        word = line.split(" ", 1)[0].upper()
        if self.protocol == "smtp":
            return self._mail(line, word)
        if self.protocol == "ftp":
            return (FTP.get(word, "200 ok") + "\r\n").encode()
        if self.protocol == "pop3":
            return b"+OK 0 0\r\n"
        if self.protocol == "imap":
            return f"{line.split(' ', 1)[0][:20]} OK done\r\n".encode("ascii", "replace")
        if self.protocol == "stratum":
            return b'{"id":1,"jsonrpc":"2.0","result":true,"error":null}\n'
        if self.protocol == "irc":
            if word == "PING":
                return f"PONG {line[5:100]}\r\n".encode("latin-1")
            return b":srv 001 user :Welcome\r\n" if word == "USER" else b""
        if self.protocol == "redis":
            return b"+PONG\r\n" if "PING" in line.upper() else b""
        if self.protocol == "telnet":
            return b"Password: " if self._answered == 1 else b"$ "
        return b""

    def _mail(self, line, word):
        if self._in_mail:
            self._in_mail = line != "."
            return b"" if self._in_mail else b"250 queued\r\n"
        if word == "STARTTLS" and not self._flow.secure:
            self.upgrade = True
            return b"220 ready\r\n"
        if word == "EHLO":
            offer = b"" if self._flow.secure else b"250-STARTTLS\r\n"
            return b"250-mail\r\n" + offer + b"250 AUTH LOGIN PLAIN\r\n"
        if word == "AUTH":
            return b"235 ok\r\n" if len(line.split()) > 2 and "PLAIN" in line.upper() else b"334 VXNlcm5hbWU6\r\n"
        if word == "DATA":
            self._in_mail = True
            return b"354 go on\r\n"
        if word == "QUIT":
            self.closed = True
            return b"221 bye\r\n"
        known = ("HELO", "MAIL", "RCPT", "RSET", "NOOP", "VRFY")
        if word in known:
            return b"250 ok\r\n"
        # The lines of AUTH LOGIN: first the user, then the password.
        self._logins += 1
        return b"334 UGFzc3dvcmQ6\r\n" if self._logins % 2 else b"235 ok\r\n"
