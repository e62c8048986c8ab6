"""Kills every process it can, one by one and all at once, then fails: a pass would be a forgery."""

import os
import signal

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

for number in range(100):
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError as error:
        print("all:", error)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                os.kill(int(entry), signal.SIGKILL)
            except OSError as error:
                print(entry, error)
raise RuntimeError("still here")
