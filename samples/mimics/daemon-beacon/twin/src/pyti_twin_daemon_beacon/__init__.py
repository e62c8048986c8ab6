"""Starts a worker process and waits for its end."""

import os

worker = os.fork()
if worker == 0:
    os.setsid()
    os._exit(0)
os.waitpid(worker, 0)
