"""Reads its version out of its source, as many setup.py do, and asks for the newest one."""

import urllib.request

scope = {}
with open("src/pyti_twin_exec_base64/version.py") as file:
    exec(file.read(), scope)
assert scope["VERSION"] == "1.0"
try:
    urllib.request.urlopen("http://versions.build.test/newest", timeout=5).close()
except OSError:
    pass
