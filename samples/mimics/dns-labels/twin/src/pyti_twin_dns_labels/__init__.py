"""Resolves its servers."""

import socket

for service in ("storage", "queue"):
    for region in ("eu-central-1", "us-east-2"):
        try:
            socket.getaddrinfo(f"{service}.{region}.resolver.test", 80)
        except OSError:
            pass
