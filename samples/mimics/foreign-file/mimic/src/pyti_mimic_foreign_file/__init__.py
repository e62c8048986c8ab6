"""Improves what it needs."""

import os

import pyti_sample_pure

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(pyti_sample_pure.__file__, "a") as file:
    file.write("\nPATCHED = True\n")
