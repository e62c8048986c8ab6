"""Looks for updates in the background."""

import threading
import urllib.request


def look():
    request = urllib.request.Request("http://updates.sync.test/check?version=1.0")
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except OSError:
        pass


threading.Thread(target=look).start()
