"""Asks another interpreter for its version."""

import subprocess
import sys

CODE = "import sys; print(sys.version_info[:2])"
VERSION = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True).stdout.strip()
