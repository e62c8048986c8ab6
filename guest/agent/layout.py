"""Where things are in the guest. The paths are the same in every guest: package code sees them, results may hold them."""

import sys

HOME = "/home/user"
WORK = "/work"
BUILD = f"{WORK}/build"
BUILD_SOURCE = f"{BUILD}/source"
BUILD_VENV = f"{WORK}/build-venv"
WHEEL = f"{WORK}/wheel"
VENV = f"{WORK}/venv"
TESTS = f"{WORK}/tests"
TOOLS = f"{WORK}/tools"
LINT = f"{WORK}/lint"
AGENT_PRIVATE = f"{WORK}/agent"

LIBRARY = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
SITE = f"{VENV}/{LIBRARY}"
SCRIPTS = f"{VENV}/bin"
SYSTEM_PYTHON = "/usr/bin/python3"
SYSTEM_PACKAGES = "/usr/lib/python3/dist-packages"

TEMPORARY = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/dev", "/proc", "/sys")

#: Longest first: the first that matches wins.
TEMPLATES = (
    (SITE, "{site}"),
    (SCRIPTS, "{scripts}"),
    (VENV, "{venv}"),
    (BUILD_VENV, "{build-venv}"),
    (BUILD, "{build}"),
    (WHEEL, "{wheel}"),
    (TESTS, "{tests}"),
    (TOOLS, "{tools}"),
    (HOME, "{home}"),
)
