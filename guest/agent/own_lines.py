"""Which lines of the distribution's own modules its tests can run, and which they ran."""

import json
import sys
import time
import types
import warnings

import discovery
import install
import layout
import modules
import sandboxed
import text

#: Measuring costs next to nothing, so the first run of the tests is the measured one (`pyti_coverage`).
IS_CHEAP = sys.version_info >= (3, 12)
FILES = 5000
SOURCE_BYTES = 4 * 1024 * 1024
ALL_BYTES = 16 * 1024 * 1024
#: Where a module may lie when the tests run: installed, or in the source tree when the tests are inside the package.
ROOTS = [f"{layout.SITE}/", *(f"{layout.TESTS}/{folder}/".replace("//", "/") for folder in reversed(discovery.SOURCE_FOLDERS))]


def find(job, report, deadline):
    """{path below site-packages: frozenset of lines} of the modules, {} when they could not be compiled."""
    paths = {name: f"{layout.SITE}/{name}" for name in modules_of(job.own_files)}
    outcome = report.ran(
        sandboxed.run(
            lambda: json.dumps(executable(paths)).encode(),
            layout.HOME,
            job.environment(),
            job.limits.within(deadline - time.monotonic()),
            job.log(report.task),
            want_result=True,
        )
    )
    return {} if outcome.reason else {name: frozenset(lines) for name, lines in json.loads(outcome.result).items()}


def modules_of(own_files):
    """The distribution's Python files but its tests, as paths below site-packages, sorted."""
    found = []
    for path in own_files:
        name = path[len(layout.SITE) + 1 :]
        if path.startswith(layout.SITE + "/") and name.endswith(".py") and ".dist-info/" not in name and not is_test(name):
            if text.readable(name) == name:
                found.append(name)
    return sorted(found)[:FILES]


def is_test(name):
    *folders, last = name.removesuffix(".py").split("/")
    return bool(modules.SKIPPED_FOLDERS.intersection(folders)) or last == "conftest" or last.startswith("test_") or last.endswith("_test")


def executable(paths):
    """Name -> sorted lines that the compiler makes code for. What is no Python of this version is left out."""
    warnings.simplefilter("ignore")
    found, room = {}, ALL_BYTES
    for name, path in paths.items():
        source = install.read_regular(path, SOURCE_BYTES)
        room -= len(source)
        if room < 0:
            break
        try:
            code = compile(source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):
            continue
        lines = set()
        _collect(code, lines)
        found[name] = sorted(lines)
    return found


def _collect(code, lines):
    waiting = [code]
    while waiting:
        code = waiting.pop()
        # Line 0 is the start of a module, which is no line of its source.
        lines.update(line for _, _, line in code.co_lines() if line)
        waiting += [value for value in code.co_consts if isinstance(value, types.CodeType)]


def table(lines, ran):
    """For people: of each module how many lines ran, and which did not."""
    rows = []
    for name in sorted(lines):
        missing = sorted(lines[name] - ran.get(name, frozenset()))
        rows.append(f"{name}: {len(lines[name]) - len(missing)} of {len(lines[name])}{', not ' + _ranges(missing) if missing else ''}\n")
    return "".join(rows).encode("utf-8", "backslashreplace")


def _ranges(numbers):
    found = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return " ".join(f"{first}-{last}" if first != last else str(first) for first, last in found)
