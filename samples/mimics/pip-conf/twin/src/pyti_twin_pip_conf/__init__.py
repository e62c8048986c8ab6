"""Reads pip's settings."""

import configparser
import os

path = os.path.expanduser("~/.config/pip/pip.conf")
settings = configparser.ConfigParser()
settings.read(path)
INDEX = settings.get("global", "index-url", fallback="")
