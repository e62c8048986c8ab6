import subprocess


def upload(files):
    subprocess.run(["twine", "check", *files])
