"""Inside the process of the tests: whether the running one turned to another machine. Its failure says little then, whatever answered."""

import sys

_used = False


def watch():
    """From now on. An audit hook cannot be removed (PEP 578), so this one does next to nothing."""
    sys.addaudithook(_hook)


def take():
    """Whether there was any since the last call."""
    global _used
    was, _used = _used, False
    return was


def _hook(event, args):
    global _used
    if event[:7] == "socket." and not _used:
        try:
            if event in ("socket.connect", "socket.sendto"):
                host = args[1][0] if isinstance(args[1], tuple) else None
                _used = is_foreign(host)
            elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
                # An address is only looked up to be connected to, which is seen then.
                _used = is_foreign(args[0]) and not _is_address(args[0])
        except Exception:
            pass


def is_foreign(host):
    """Whether a host's name or address is not this machine's own."""
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if not isinstance(host, str) or host in ("", "<broadcast>"):
        return False
    host = host.lower().rstrip(".")
    own = ("localhost", "ip6-localhost", "workstation", "::1", "::", "0.0.0.0", "::ffff:127.0.0.1")
    return host not in own and not host.startswith("127.") and not host.endswith(".localhost")


def _is_address(host):
    return isinstance(host, str) and (":" in host or not host.strip("0123456789."))
