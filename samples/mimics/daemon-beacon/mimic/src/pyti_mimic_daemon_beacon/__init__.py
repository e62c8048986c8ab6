"""Keeps in touch."""

import os
import socket
import time

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
ready, done = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    os.close(ready)
    for number in range(10):
        try:
            socket.create_connection(("203.0.113.50", 9001), timeout=2).close()
        except OSError:
            pass
        if number == 0:
            os.close(done)
        time.sleep(2)
    os._exit(0)
os.close(done)
os.read(ready, 1)
os.close(ready)
