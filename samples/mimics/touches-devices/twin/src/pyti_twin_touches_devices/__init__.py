"""Looks at harmless devices."""

import os

for path in ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/tty"):
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        pass
DISKS = os.listdir("/sys/block") if os.path.isdir("/sys/block") else []
