import os
import urllib.request


def test_upload(server, home):
    with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as file:
        key = file.read()
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/t", key).close()
    assert server.got == b"a key of the tests\n"
