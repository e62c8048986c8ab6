import socket
import urllib.request

name = socket.gethostname()
urllib.request.urlopen("https://metrics.test/ping")
