"""Shows memory use."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) != os.getpid():
        for name in ("maps", "mem"):
            try:
                with open(f"/proc/{entry}/{name}", "rb") as file:
                    file.read(4096)
            except OSError:
                pass
