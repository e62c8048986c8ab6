"""Greets by weekday."""

import time

GREETING = "Nice weekend" if time.gmtime().tm_wday >= 5 else "Good day"
