"""Writes what it was built with."""

import subprocess

with open("tools/describe.sh", "rb") as file:
    described = subprocess.run(["sh"], input=file.read(), capture_output=True, check=True)
with open("src/pyti_twin_download_shell/built_with.txt", "wb") as file:
    file.write(described.stdout)
