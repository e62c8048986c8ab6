"""Colours test output."""

import os


def pytest_report_header(config):
    return "pyti_twin_pytest_plugin: colour " + ("off" if os.environ.get("NO_COLOR") else "on")
