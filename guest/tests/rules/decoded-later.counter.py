import base64

ICON = "aW1wb3J0IG9zCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCg=="
image = base64.b64decode(ICON)
model.eval(image)
