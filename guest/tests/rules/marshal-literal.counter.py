import marshal


def load(path):
    with open(path, "rb") as file:
        file.seek(16)
        return marshal.loads(file.read())
