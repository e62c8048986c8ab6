"""Keeps a cache in the user's home, which stays when the distribution goes."""

import os

cache = os.path.expanduser("~/.cache/pyti_twin_stays_after_uninstall")
os.makedirs(cache, exist_ok=True)
with open(os.path.join(cache, "index.txt"), "w") as file:
    file.write("empty\n")
