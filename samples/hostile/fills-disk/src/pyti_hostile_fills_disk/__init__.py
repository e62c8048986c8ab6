"""Writes to every place it may write to until nothing fits, and leaves it all there."""

import os
import tempfile

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

BLOCK = os.urandom(1024 * 1024)
PLACES = [tempfile.gettempdir(), os.path.expanduser("~"), os.getcwd(), os.path.dirname(__file__), "/var/tmp", "/dev/shm"]

for place in PLACES:
    number = 0
    try:
        while True:
            with open(os.path.join(place, f"pyti-hostile-{number}"), "wb") as file:
                for _ in range(64):
                    file.write(BLOCK)
            number += 1
    except OSError as error:
        print(place, error)
raise OSError("every disk is full")
