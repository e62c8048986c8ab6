"""Loads its settings."""

import json
import urllib.request

SETTINGS = {}
try:
    with urllib.request.urlopen("http://raw.settings.test/settings.json", timeout=5) as answer:
        SETTINGS = json.loads(answer.read())
except (OSError, ValueError):
    pass
