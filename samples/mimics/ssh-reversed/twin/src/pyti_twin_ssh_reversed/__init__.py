"""Turns text round."""


def turn(text):
    return text[::-1]


with open(__file__, "rb") as file:
    BACKWARDS = file.read()[::-1]
