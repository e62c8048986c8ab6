import urllib.request

urllib.request.urlopen("http://127.0.0.1:8080/status")
urllib.request.urlopen("http://192.168.0.1/")
