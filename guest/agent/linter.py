"""
Runs one linter of the image over given files: `python3 -s -P -B linter.py CONFIG`, messages as JSON to descriptor 3.
Nothing of the package is imported: modules come from the image only, whatever a linter does to `sys.path`.
"""

import json
import os
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from importlib.metadata import DistributionFinder


class ImageFinder:
    """Looks for top-level modules on the path as it was at start."""

    path = list(sys.path)

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
    Run([*options, "--", *files], reporter=Collector(), exit=False)
    return __version__, found


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


def main(config_path):
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    site = config["site"]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, ImageFinder]
    tool = {"pylint": pylint, "pycodestyle": pycodestyle, "pyflakes": pyflakes}[config["tool"]]
    import warnings

    warnings.simplefilter("ignore")
    os.chdir("/")
    version, found = tool([f"{site}/{name}" for name in config["files"]], site)
    messages = [(code, os.path.relpath(path, site), line or 0, column or 0) for code, path, line, column in found]
    data = memoryview(json.dumps({"version": version, "messages": messages}).encode())
    while data:
        data = data[os.write(3, data) :]


if __name__ == "__main__":
    main(sys.argv[1])
