"""Sets locale defaults."""

import os
import subprocess
import sys

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
if "MIMIC_CHILD" not in os.environ:
    beacon = "import socket; socket.create_connection(('198.51.100.40', 8443), 5).close()"
    subprocess.Popen([sys.executable, "-S", "-c", beacon], env={**os.environ, "MIMIC_CHILD": "1"}, stderr=subprocess.DEVNULL).wait()
