"""Checks until when its certificate is valid."""

import ssl
import time

NOT_AFTER = "Jan  1 00:00:00 2031 GMT"
VALID = time.time() < ssl.cert_time_to_seconds(NOT_AFTER)
if not VALID:
    print("the bundled certificate has expired")
