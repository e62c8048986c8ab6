"""Lines that can run, and lines that ran, of the same source in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import paths
import own_lines
import layout

AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(paths.__file__))), "agent")
#: `#` ends a line that runs, `#-` one that can and does not.
SOURCE = '''"""Words."""  #
import functools  #
import threading  #


def plain(a, b=2):  #
    """Words."""
    if a:  #
        return b  #
    return 0  #-


@functools.lru_cache  #
def decorated(x):  #
    for i in range(x):  #
        if i == 1:  #
            continue  #
        x += 1  #
    return [y for y in range(3) if y]  #


def gen(n):  #
    try:  #
        for i in range(n):  #
            yield i  #
    finally:
        n = 0  #


class Thing:  #
    """Words."""  #

    attr = 1  #

    def never(self):  #
        raise NotImplementedError  #-


def tries(v):  #
    try:  #
        1 / v  #
    except ZeroDivisionError as e:  #
        return str(e)  #
    except (ValueError, TypeError):  #-
        return 2  #-


def threaded():  #
    return 7  #


plain(1)  #
decorated(3)  #
list(gen(2))  #
tries(0)  #
thread = threading.Thread(target=threaded)  #
thread.start()  #
thread.join()  #
exec(compile("1\\n2\\n", "elsewhere.py", "exec"))  #
'''
DRIVE = """
import json, sys
sys.path.insert(0, {agent!r})
import pyti_coverage
lines = pyti_coverage.asked()
sys.path.insert(0, {folder!r})
import victim
first = lines.take()
before = sys.gettrace()
victim.plain(0)
print(json.dumps([first, lines.take(), lines.take(), before is None]))
"""


class Covered(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(self.enterContext(tempfile.TemporaryDirectory()))
        with open(f"{self.folder}/victim.py", "w") as file:
            file.write(SOURCE)

    def drive(self, cover):
        with open(f"{self.folder}/tests.json", "w") as file:
            json.dump({"only": None, "skip": [], "cover": cover}, file)
        code = DRIVE.format(agent=AGENT, folder=self.folder)
        env = {"PYTI_TESTS": f"{self.folder}/tests.json"}
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env, check=True)
        return json.loads(ended.stdout)

    def test_lines_that_ran(self):
        ended = [line.rpartition("  #")[2] if "  #" in line else None for line in SOURCE.splitlines()]
        executable = [number for number, mark in enumerate(ended, 1) if mark is not None]
        covered = [number for number, mark in enumerate(ended, 1) if mark == ""]
        first, then, last, is_free = self.drive({"own": ["victim.py"], "roots": [f"{self.folder}/"]})
        self.assertEqual(own_lines.executable({"victim.py": f"{self.folder}/victim.py"}), {"victim.py": executable})
        self.assertEqual(first, [["victim.py", covered]])
        self.assertEqual((then, last), ([["victim.py", [ended.index("-") + 1]]], []))
        self.assertEqual(is_free, own_lines.IS_CHEAP, "a project's own trace function has its place")

    def test_of_other_files_nothing(self):
        for own, root in (["other.py"], f"{self.folder}/"), (["victim.py"], "/nowhere/"):
            self.assertEqual(self.drive({"own": own, "roots": [root]})[:3], [[], [], []])

    def test_the_source_tree_stands_for_the_installed_package(self):
        self.assertEqual(self.drive({"own": ["victim.py"], "roots": ["/nowhere/", f"{self.folder}/"]})[0][0][0], "victim.py")

    def test_rows_have_a_bounded_length(self):
        with open(f"{self.folder}/victim.py", "w") as file:
            file.write("x = 1\n" * 9000 + "def plain(x):\n    pass\n")
        rows = self.drive({"own": ["victim.py"], "roots": [f"{self.folder}/"]})[0]
        self.assertEqual([len(lines) for _, lines in rows], [4000, 4000, 1001])


class Modules(unittest.TestCase):
    def test_own_modules_without_their_tests(self):
        inside = [
            "p/__init__.py", "p/a.py", "p/__main__.py", "p/data.txt", "p/test_a.py", "p/a_test.py", "p/tests/helper.py", "test/b.py",
            "p/conftest.py", "p-1.dist-info/x.py", "single.py", "p/latest.py",
        ]  # fmt: skip
        with mock.patch.object(layout, "SITE", "/site"):
            found = own_lines.modules_of([f"/site/{name}" for name in inside] + ["/bin/tool.py"])
        self.assertEqual(found, ["p/__init__.py", "p/__main__.py", "p/a.py", "p/latest.py", "single.py"])

    def test_what_does_not_compile_is_left_out(self):
        folder = os.path.realpath(self.enterContext(tempfile.TemporaryDirectory()))
        sources = {"old.py": b"print 1\n", "null.py": b"\0", "deep.py": b"(" * 1000, "binary.py": b"\xff\xfe", "good.py": b"x = 1\n", "empty.py": b""}
        for name, data in sources.items():
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        os.symlink("/etc/passwd", f"{folder}/link.py")
        found = own_lines.executable({name: f"{folder}/{name}" for name in [*sources, "link.py", "absent.py"]})
        self.assertEqual(found["good.py"], [1])
        self.assertEqual(sum(map(len, found.values())) - len(found["good.py"]), sum(len(found.get(name, ())) for name in ("empty.py", "link.py", "absent.py")))
        self.assertFalse(set(found) & {"old.py", "null.py", "deep.py", "binary.py"})

    def test_a_table_for_people(self):
        table = own_lines.table({"a.py": frozenset({1, 2, 3, 5}), "b.py": frozenset({1})}, {"a.py": {1}, "b.py": {1}})
        self.assertEqual(table, b"a.py: 1 of 4, not 2-3 5\nb.py: 1 of 1\n")


if __name__ == "__main__":
    unittest.main()
