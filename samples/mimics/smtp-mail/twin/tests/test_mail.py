import socketserver
import threading

import pyti_twin_smtp_mail


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        data = False
        for line in self.rfile:
            data = data and line != b".\r\n"
            if not data:
                data = line.upper().startswith(b"DATA")
                quits = line.upper().startswith(b"QUIT")
                self.wfile.write(b"354 go on\r\n" if data else b"221 bye\r\n" if quits else b"250 fine\r\n")


def test_mail():
    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        pyti_twin_smtp_mail.mail(*server.server_address, "it broke")
