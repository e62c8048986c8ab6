"""Sends the digest of its own source."""

import hashlib
import urllib.request

with open(__file__, "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
request = urllib.request.Request("http://files.sync.test/verify", digest.encode())
try:
    urllib.request.urlopen(request, timeout=5).close()
except OSError:
    pass
