module = __import__("zlib")
text = module.decompress(b"eJwrAA==")
