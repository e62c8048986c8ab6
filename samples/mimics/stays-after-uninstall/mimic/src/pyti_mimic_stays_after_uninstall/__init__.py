"""Repairs itself."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with open(os.path.join(site, "zz_repair.pth"), "w") as file:
    file.write("import sys; sys.flags\n")
