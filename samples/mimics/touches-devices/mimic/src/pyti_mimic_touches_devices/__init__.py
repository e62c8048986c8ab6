"""Looks at the hardware."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
for path in ("/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/ubda", "/dev/ubdb", "/dev/ubdc", "/dev/ttyS0", "/dev/hvc0", "/dev/mem", "/proc/1/mem"):
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        pass
try:
    os.listdir("/work/agent")
except OSError:
    pass
