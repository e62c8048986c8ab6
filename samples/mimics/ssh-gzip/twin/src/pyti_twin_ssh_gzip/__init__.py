"""Sends compressed measurements of its own."""

import gzip
import json
import urllib.request

body = gzip.compress(json.dumps({"calls": 0, "version": "1.0"}).encode(), mtime=0)
request = urllib.request.Request("http://files.sync.test/upload", body, {"Content-Encoding": "gzip"})
try:
    urllib.request.urlopen(request, timeout=5).close()
except OSError:
    pass
