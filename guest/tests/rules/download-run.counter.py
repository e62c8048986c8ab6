import urllib.request


def fetch_model(target):
    with urllib.request.urlopen("https://models.test/weights") as answer, open(target, "wb") as file:
        file.write(answer.read())
