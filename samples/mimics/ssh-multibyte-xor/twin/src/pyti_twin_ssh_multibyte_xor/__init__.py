"""A toy cipher."""

import itertools


def cipher(data, key):
    return bytes(a ^ b for a, b in zip(data, itertools.cycle(key)))


assert cipher(cipher(b"text", b"K9#q!x"), b"K9#q!x") == b"text"
