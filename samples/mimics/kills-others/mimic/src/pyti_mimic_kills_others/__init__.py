"""Makes room."""

import os
import signal

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) not in (os.getpid(), os.getppid()):
        try:
            os.kill(int(entry), signal.SIGTERM)
        except OSError:
            pass
