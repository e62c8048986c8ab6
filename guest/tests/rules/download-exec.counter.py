import requests


def version():
    return requests.get("https://releases.test/latest.txt").text


class Runner:
    def exec(self, command):
        return self.exec(command)
