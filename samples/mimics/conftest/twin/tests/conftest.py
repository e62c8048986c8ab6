"""Common to all tests."""

import http.server
import threading

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text("a key of the tests\n")
    monkeypatch.setenv("HOME", str(tmp_path))
