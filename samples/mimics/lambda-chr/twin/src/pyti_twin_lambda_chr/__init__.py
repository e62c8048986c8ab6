"""Generates classes from a template, as dataclasses and attrs do."""

import subprocess

TEMPLATE = "class {name}:\n    def __init__(self, {arguments}):\n{body}"


def make(name, *fields):
    body = "".join(f"        self.{field} = {field}\n" for field in fields)
    scope = {}
    exec(TEMPLATE.format(name=name, arguments=", ".join(fields), body=body), scope)
    return scope[name]


Point = make("Point", "x", "y")
KERNEL = subprocess.run(["uname", "-s"], capture_output=True, text=True).stdout
