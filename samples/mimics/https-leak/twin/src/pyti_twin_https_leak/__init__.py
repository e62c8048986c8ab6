"""Uses TLS and checks certificates."""

import ssl
import urllib.request

request = urllib.request.Request("https://api.secure.test/v1", b"{}")
try:
    urllib.request.urlopen(request, timeout=5, context=ssl.create_default_context()).close()
except OSError:
    pass
