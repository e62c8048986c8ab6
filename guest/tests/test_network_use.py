import subprocess
import sys
import unittest

import paths  # noqa: F401
import pyti_network

AGENT = paths.__file__.replace("tests/paths.py", "agent")
PROBE = """
import socket, sys
sys.path.insert(0, {agent!r})
import pyti_network
pyti_network.watch()
try:
    {code}
except OSError:
    pass
print(pyti_network.take(), pyti_network.take())
"""


def used(code):
    """In a process of its own, as an audit hook stays."""
    return subprocess.run([sys.executable, "-c", PROBE.format(agent=AGENT, code=code)], capture_output=True, text=True, check=True).stdout.split()


class Network(unittest.TestCase):
    def test_another_machine_once(self):
        for code in (
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))",
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
            "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).connect(('2001:db8::1', 9))",
            "socket.getaddrinfo('name.invalid', 80)",
            "socket.gethostbyname('name.invalid')",
        ):
            with self.subTest(code):
                self.assertEqual(used(code), ["True", "False"])

    def test_this_machine_is_none(self):
        for code in (
            "pass",
            "socket.create_connection(('127.0.0.1', 1))",
            "socket.socket(socket.AF_UNIX).connect('/nowhere')",
            "socket.getaddrinfo('localhost', 80)",
            "socket.getaddrinfo(None, 80)",
            "socket.getaddrinfo('192.0.2.1', 80, flags=socket.AI_NUMERICHOST)",
            "socket.socket().bind(('127.0.0.1', 0))",
        ):
            with self.subTest(code):
                self.assertEqual(used(code), ["False", "False"])

    def test_odd_hosts(self):
        own = ("", None, b"localhost", "LOCALHOST.", "app.localhost", "::1", "127.9.9.9", 7)
        foreign = ("a.test", b"a.test", "localhost.test", "192.0.2.1", "2001:db8::1")
        self.assertEqual([pyti_network.is_foreign(host) for host in (*own, *foreign)], [False] * len(own) + [True] * len(foreign))


if __name__ == "__main__":
    unittest.main()
