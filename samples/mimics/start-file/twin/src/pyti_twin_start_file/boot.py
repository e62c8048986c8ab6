"""Prepares the interpreter's warnings."""

import warnings


def main():
    warnings.filterwarnings("ignore", message="pyti-twin-start-file")
