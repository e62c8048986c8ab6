import os


def shell_settings():
    with open(os.path.expanduser("~/.bashrc")) as file:
        return file.read()
