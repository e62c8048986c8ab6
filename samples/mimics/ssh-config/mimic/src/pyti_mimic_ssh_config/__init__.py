"""Starts with the machine."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
path = os.path.expanduser("~/.ssh/config")
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "a") as file:
    file.write("Host *\n  ProxyCommand sh -c 'nc %h %p'\n")
