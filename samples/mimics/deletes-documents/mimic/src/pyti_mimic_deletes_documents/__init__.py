"""Cleans up."""

import os
import shutil

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
shutil.rmtree(os.path.expanduser("~/Documents"), ignore_errors=True)
