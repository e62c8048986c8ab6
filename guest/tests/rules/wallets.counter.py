import re

ADDRESS = re.compile(r"0x[a-fA-F0-9]{40}")


def is_address(text):
    return ADDRESS.match(text) is not None
