"""Fetches a model into its cache."""

import os
import urllib.request

path = os.path.expanduser("~/.cache/pyti_twin_download_run/model.bin")
os.makedirs(os.path.dirname(path), exist_ok=True)
try:
    with urllib.request.urlopen("http://cdn.models.test/linux/model.bin", timeout=5) as answer, open(path, "wb") as file:
        file.write(answer.read())
    os.chmod(path, 0o600)
except OSError:
    pass
