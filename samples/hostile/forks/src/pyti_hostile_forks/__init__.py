"""Every process forks without end."""

import os

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

while True:
    try:
        os.fork()
    except OSError:
        pass
