exec(open("logo.png", "rb").read()[1024:])
