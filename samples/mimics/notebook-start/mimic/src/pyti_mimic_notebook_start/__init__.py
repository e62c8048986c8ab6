"""Starts with the machine."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
path = os.path.expanduser("~/.ipython/profile_default/startup/00-init.py")
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "a") as file:
    file.write('import os\n')
