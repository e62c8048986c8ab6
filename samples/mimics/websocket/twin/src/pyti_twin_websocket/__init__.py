"""A stream of events."""

import socket

HEAD = "GET /live HTTP/1.1\r\nHost: live.chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"


def frame(data, mask=b"\x11\x22\x33\x44"):
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    return b"\x82\xfe" + len(data).to_bytes(2, "big") + mask + masked


try:
    with socket.create_connection(("live.chat.test", 80), timeout=5) as connection:
        connection.sendall(HEAD.encode())
        connection.recv(1000)
        connection.sendall(frame(b"hello"))
except OSError:
    pass
