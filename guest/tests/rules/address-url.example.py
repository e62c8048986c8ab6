import urllib.request

urllib.request.urlopen("http://192.0.2.7:8080/in")
