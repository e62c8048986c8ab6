import base64

data = "aW1wb3J0IG9zCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCnByaW50KCdoZWxsbycpCg=="
source = base64.b64decode(data)
exec(source)
