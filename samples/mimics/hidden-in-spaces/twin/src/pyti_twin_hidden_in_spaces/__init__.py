"""Reads its data file."""

import os

with open(os.path.join(os.path.dirname(__file__), "words.txt")) as file:
    WORDS = [line.rstrip("\n").split("\t") for line in file]
