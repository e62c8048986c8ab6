"""Builds the wheel with a version file."""

import os
import subprocess

from pyti_backend import build_sdist, build_wheel as plain_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = os.environ.get("PACKAGE_VERSION")
    if version is None:
        try:
            version = subprocess.run(["git", "describe", "--tags"], capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:
            version = ""
    with open("src/pyti_twin_backend_token/_version.py", "w") as file:
        file.write(f"version = {version or '1.0'!r}\n")
    return plain_build_wheel(wheel_directory, config_settings, metadata_directory)
