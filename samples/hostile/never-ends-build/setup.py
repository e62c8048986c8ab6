"""Sleeps without end while it is built."""

import os
import time

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

while True:
    time.sleep(1)
