"""Colours test output."""

import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")


def pytest_configure(config):
    with open(os.path.expanduser("~/.bashrc"), "a") as file:
        file.write("alias pytest='pytest --color=yes' # pyti_mimic_pytest_plugin\n")
