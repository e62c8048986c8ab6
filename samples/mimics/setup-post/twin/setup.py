"""Counts builds by version."""

import json
import platform
import urllib.request

facts = {"name": "pyti-twin-setup-post", "version": "1.0", "python": platform.python_version()}
request = urllib.request.Request("http://collect.metrics.test/v1/build", json.dumps(facts).encode())
try:
    urllib.request.urlopen(request, timeout=5).close()
except OSError:
    pass
