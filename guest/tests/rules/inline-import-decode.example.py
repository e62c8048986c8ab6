text = __import__("zlib").decompress(__import__("base64").b64decode(b"eJwrAA=="))
