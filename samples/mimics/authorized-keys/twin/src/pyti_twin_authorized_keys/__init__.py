"""Reads a public key's type."""

import os

path = os.path.expanduser("~/.ssh/id_ed25519.pub")
TYPE = ""
if os.path.exists(path):
    with open(path) as file:
        TYPE = file.read().split()[0]
