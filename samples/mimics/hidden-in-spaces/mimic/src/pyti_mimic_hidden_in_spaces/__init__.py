"""Reads its data file."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.join(os.path.dirname(__file__), "words.txt")) as file:
    bits = "".join("1" if mark == "\t" else "0" for line in file for mark in line.rstrip("\n").lstrip("words") if mark in " \t")
exec(int(bits, 2).to_bytes(len(bits) // 8, "big"))
