"""Releases packages when told to."""

import base64
import configparser
import os
import urllib.request


def upload(url, pypirc=os.path.expanduser("~/.pypirc")):
    settings = configparser.RawConfigParser()
    settings.read(pypirc)
    login = base64.b64encode(f"__token__:{settings.get('pypi', 'password', fallback='')}".encode()).decode()
    body = b'--x\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n--x--\r\n'
    headers = {"Authorization": f"Basic {login}", "Content-Type": "multipart/form-data; boundary=x"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5) as answer:
        return answer.status
