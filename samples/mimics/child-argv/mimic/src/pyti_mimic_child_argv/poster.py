"""A small curl: poster.py --data TEXT URL."""

import os
import sys
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
if __name__ == "__main__":
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[3], sys.argv[2].encode()), timeout=5).close()
    except OSError:
        pass
