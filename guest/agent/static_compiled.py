"""Compiled Python files, native libraries and start hooks among a distribution's files, by their names alone."""

import configparser
import re

START_HOOKS = frozenset({"sitecustomize.py", "usercustomize.py", "sitecustomize/__init__.py", "usercustomize/__init__.py"})
#: Entry points of these groups are run by a program that asks for none of them by name.
AUTOLOADED = (
    "pytest11", "distutils.commands", "setuptools.finalize_distribution_options", "egg_info.writers", "distutils.setup_keywords",
    "setuptools.file_finders", "flake8.extension", "pylint.plugins", "jupyter_server.extension", "ipython.extensions",
    "pip.subcommands", "keyring.backends", "hypothesis", "sphinx.builders", "virtualenv.activate",
)  # fmt: skip


def without_source(names):
    """The .pyc files whose .py is not there, sorted."""
    missing = []
    for name in names:
        if not name.endswith((".pyc", ".pyo")):
            continue
        folder, _, base = name.rpartition("/")
        stem = base.split(".")[0]
        if folder == "__pycache__" or folder.endswith("/__pycache__"):
            folder = folder[: -len("__pycache__")].rstrip("/")
        source = f"{folder}/{stem}" if folder else stem
        if not any(source + suffix in names for suffix in (".py", ".pyx", ".pyw")):
            missing.append(name)
    return sorted(missing)


def start_hooks(names):
    """(rule, name) of what an interpreter runs when it starts once the wheel is installed (site module, PEP 829)."""
    for name in sorted(names):
        base = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name)
        if base in START_HOOKS:
            yield "start-hook-module", name
        elif "/" not in base and base.endswith((".pth", ".start")):
            yield "start-hook-file", name
        elif re.match(r"^[^/]+\.data/data/.*\.(pth|start)$", name):
            yield "start-hook-data", name


def autoloaded(text):
    """Groups of entry_points.txt that load by themselves, sorted; None when it cannot be parsed."""
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError):
        return None
    return sorted(group for group in parser.sections() if group in AUTOLOADED and parser.items(group))
