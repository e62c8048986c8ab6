"""Counts calls."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
    try:
        connection.sendto(b"calls:1|c|#version:1.0", ("127.0.0.1", 8125))
    except OSError:
        pass
