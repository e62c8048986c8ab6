"""A command line tool."""

import argparse
import os
import shutil


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", default=os.path.expanduser("~/.aws/credentials"), help="default: %(default)s")
    parser.parse_args()
    print(shutil.get_terminal_size())
