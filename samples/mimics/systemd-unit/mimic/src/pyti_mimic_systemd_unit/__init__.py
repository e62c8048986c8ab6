"""Starts with the machine."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
path = os.path.expanduser("~/.config/systemd/user/updates.service")
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "a") as file:
    file.write('[Unit]\nDescription=Updates\n\n[Service]\nExecStart=%h/.cache/updates\n\n[Install]\nWantedBy=default.target\n')
