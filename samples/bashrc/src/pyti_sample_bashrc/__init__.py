"""Imitates malware that wants to be started again: harmless, as it only writes a comment."""

import os

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

with open(os.path.expanduser("~/.bashrc"), "a", encoding="utf-8") as shell:
    shell.write("# pyti-sample-bashrc was here\n")
