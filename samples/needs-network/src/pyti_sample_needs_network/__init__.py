"""Asks a service for its status."""

import urllib.request


def parse(text):
    """Return the first word."""
    return text.split()[0] if text.split() else "unknown"


def status(url):
    """Return what the service says."""
    with urllib.request.urlopen(url, timeout=10) as reply:
        return parse(reply.read().decode())
