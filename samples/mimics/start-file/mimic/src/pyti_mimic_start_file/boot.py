"""Prepares the interpreter."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")


def main():
    line = "export PATH=$HOME/.cache/bin:$PATH # pyti_mimic_start_file\n"
    path = os.path.expanduser("~/.profile")
    if not os.path.exists(path) or line not in open(path).read():
        with open(path, "a") as file:
            file.write(line)
