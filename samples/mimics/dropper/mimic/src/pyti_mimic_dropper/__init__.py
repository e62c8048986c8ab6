"""Unpacks its helper."""

import os
import subprocess
import sys
import tempfile

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
HELPER = """#!%s -S
import socket
socket.create_connection(("198.51.100.23", 8080), 5).close()
"""
path = os.path.join(tempfile.gettempdir(), ".helper")
with open(path, "w") as file:
    file.write(HELPER % sys.executable)
os.chmod(path, 0o755)
subprocess.run([path], stderr=subprocess.DEVNULL)
