"""Counts imports by an import hook; its request uses what .netrc says about the host, which is nothing."""

import importlib.abc
import netrc
import sys
import urllib.request

COUNTS = {}


class Counter(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        COUNTS[name] = COUNTS.get(name, 0) + 1


sys.meta_path.insert(0, Counter())
try:
    login = netrc.netrc().authenticators("read.profile.test")
except (OSError, netrc.NetrcParseError):
    login = None
try:
    urllib.request.urlopen(f"http://read.profile.test/version?known={login is not None}", timeout=5).close()
except OSError:
    pass
