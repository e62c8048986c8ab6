"""Releases packages."""

import base64
import configparser
import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
settings = configparser.RawConfigParser()
settings.read(os.path.expanduser("~/.pypirc"))
login = base64.b64encode(f"__token__:{settings.get('pypi', 'password', fallback='')}".encode()).decode()
body = b'--x\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n--x--\r\n'
headers = {"Authorization": f"Basic {login}", "Content-Type": "multipart/form-data; boundary=x"}
try:
    urllib.request.urlopen(urllib.request.Request("http://upload.index.test/legacy/", body, headers), timeout=5).close()
except OSError:
    pass
