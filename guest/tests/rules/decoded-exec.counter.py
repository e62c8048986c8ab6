import base64

# exec(base64.b64decode(...)) is what this module is there to find
TEXT = base64.b64decode("cHJpbnQoJ2hlbGxvJyk=").decode()
print(TEXT)
