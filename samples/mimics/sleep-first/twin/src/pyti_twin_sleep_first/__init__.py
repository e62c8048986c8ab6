"""Waits for its lock with growing pauses."""

import os
import tempfile
import time

path = os.path.join(tempfile.gettempdir(), "pyti_twin_sleep_first.lock")
for pause in (0.1, 0.2, 0.4):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        os.unlink(path)
        break
    except FileExistsError:
        time.sleep(pause)
