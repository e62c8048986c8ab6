"""
The image's linters, loaded once in a fork server. A run goes over given files, messages go as JSON to descriptor 3.
Nothing of the package is imported: modules come from the image only, whatever a linter does to `sys.path`.
"""

import json
import os
import sys
from collections import Counter
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from importlib.metadata import DistributionFinder


class ImageFinder:
    """Looks for top-level modules on the path as it was at start."""

    path = ()

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return PathFinder.find_spec(name, cls.path if path is None else path, target)

    @classmethod
    def find_distributions(cls, context=None):
        return PathFinder.find_distributions(DistributionFinder.Context(name=context and context.name, path=cls.path))


def pylint(files, site):
    from pylint import __version__
    from pylint.lint import Run
    from pylint.reporters import BaseReporter

    found = []

    class Collector(BaseReporter):
        def handle_message(self, message):
            found.append((message.msg_id, message.abspath, message.line, message.column))

        def display_messages(self, layout):
            return None

        def _display(self, layout):
            return None

    sys.path.append(site)
    options = [
        "--rcfile=/dev/null", "--load-plugins=", "--jobs=1", "--persistent=n", "--score=n", "--reports=n",
        # import-error: optional dependencies may be absent. duplicate-code: quadratic, and its place is arbitrary.
        "--disable=import-error,duplicate-code", "--extension-pkg-allow-list=", "--unsafe-load-any-extension=n",
    ]  # fmt: skip
    run = Run([*options, "--", *files], reporter=Collector(), exit=False)
    return __version__, found, run.linter.stats.statement


def pycodestyle(files, _site):
    import pycodestyle as tool

    found = []

    class Collector(tool.StandardReport):
        def error(self, line_number, offset, text, check):
            found.append((text[:4], self.filename, line_number, offset + 1))

        def get_file_results(self):
            return 0

    style = tool.StyleGuide(
        config_file=False, parse_argv=False, paths=files, max_line_length=100, reporter=Collector
    )
    style.options.ignore = ()
    style.check_files()
    return tool.__version__, found


def pyflakes(files, _site):
    import ast

    from pyflakes import __version__
    from pyflakes.checker import Checker

    found = []
    for name in files:
        with open(name, "rb") as file:
            source = file.read()
        try:
            tree = ast.parse(source, filename=name)
        except (SyntaxError, ValueError, RecursionError) as error:
            found.append(("SyntaxError", name, getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 0))
            continue
        for message in Checker(tree, filename=name).messages:
            found.append((type(message).__name__, name, message.lineno, message.col))
    return __version__, found


TOOLS = {"pylint": pylint, "pycodestyle": pycodestyle, "pyflakes": pyflakes}


def load():
    """Imports all the linters use. Called once, in the server."""
    import ast  # noqa: F401
    import importlib
    import pkgutil
    import warnings

    ImageFinder.path = tuple(sys.path)
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, ImageFinder]
    warnings.simplefilter("ignore")
    for name in ("pycodestyle", "pyflakes.checker", "pylint.lint", "astroid.constraint"):
        importlib.import_module(name)
    # pylint and astroid import these one by one when they start.
    for name in ("pylint.checkers", "pylint.reporters", "astroid.brain"):
        package = importlib.import_module(name)
        for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
            importlib.import_module(f"{name}.{module}")
    from astroid.builder import AstroidBuilder
    from astroid.manager import AstroidManager

    # The first builder makes the tree of `builtins`, which is most of what pylint does for a small package.
    AstroidBuilder(AstroidManager())


def run(config_path):
    """In a fork: one linter over the files of a configuration, 0."""
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    site = config["site"]
    os.chdir("/")
    version, found, *statements = TOOLS[config["tool"]]([f"{site}/{name}" for name in config["files"]], site)
    # A source can earn millions: they are cut here, within the run's own limits, and not in the agent's memory.
    messages = sorted((code, os.path.relpath(path, site), line or 0, column or 0) for code, path, line, column in found)
    said = {
        "version": version,
        "statements": statements,
        "counts": Counter(code for code, _, _, _ in messages),
        "messages": messages[: config["most"]],
        "messagesOmitted": max(0, len(messages) - config["most"]),
    }
    data = memoryview(json.dumps(said).encode())
    while data:
        data = data[os.write(3, data) :]
    return 0
