"""Runs three workers and waits for them."""

import subprocess
import sys

children = [subprocess.Popen([sys.executable, "-c", "pass"]) for _ in range(3)]
for child in children:
    child.wait()
