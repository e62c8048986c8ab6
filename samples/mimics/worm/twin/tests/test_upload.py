import http.server
import threading

import pyti_twin_worm


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.headers["Authorization"].startswith("Basic ") else 403)
        self.end_headers()


def test_upload(tmp_path):
    pypirc = tmp_path / ".pypirc"
    pypirc.write_text("[pypi]\npassword = pypi-test\n")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        assert pyti_twin_worm.upload(f"http://127.0.0.1:{server.server_port}/legacy/", pypirc) == 200
