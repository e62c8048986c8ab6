"""Talks to a server of its own on loopback."""

import socket
import threading

server = socket.create_server(("127.0.0.1", 0))


def answer():
    with server, server.accept()[0] as connection:
        connection.sendall(connection.recv(100))


threading.Thread(target=answer).start()
with socket.create_connection(server.getsockname(), timeout=5) as connection:
    connection.sendall(b"HELLO")
    ANSWER = connection.recv(100)
