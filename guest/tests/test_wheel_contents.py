import unittest

import paths  # noqa: F401

import wheel_contents

INFO = "pkg-1.0.dist-info/METADATA"


def check(*names, sdist=None, top=(), same=()):
    members = {name: (f"{'same' if name in same else name}", 1) for name in (*names, INFO)}
    return {tuple(row) for row in wheel_contents.check(members, top, sdist)["messages"]}


class Codes(unittest.TestCase):
    def test_a_good_wheel(self):
        self.assertEqual(check("pkg/__init__.py", "pkg/a.py", "pkg/data.json", "pkg-1.0.data/scripts/run"), set())

    def test_each_code(self):
        good = "pkg/__init__.py"
        cases = {
            ("W001", "pkg/a.pyc"): check(good, "pkg/a.pyc"),
            ("W002", "pkg/b.py"): check(good, "pkg/b.py", "pkg/c.py", same=("pkg/b.py", "pkg/c.py")),
            ("W003", "README.md"): check(good, "README.md"),
            ("W004", "pkg/a-b/c.py"): check(good, "pkg/a-b/c.py"),
            ("W005", "tests"): check(good, "tests/__init__.py"),
            ("W006", "__init__.py"): check("__init__.py"),
            ("W007", "."): check("pkg-1.0.data/scripts/run"),
            ("W008", "."): check(),
            ("W009", "other"): check(good, "other/__init__.py"),
            ("W010", "data"): check(good, "data/a.txt"),
            ("W101", "pkg/b.py"): check(good, sdist=["src/pkg/__init__.py", "src/pkg/b.py"]),
            ("W102", "pkg/b.py"): check(good, "pkg/b.py", sdist=["pkg/__init__.py"]),
            ("W201", "gone"): check(good, top=["pkg", "gone"]),
        }
        for row, found in cases.items():
            with self.subTest(row[0]):
                self.assertIn(row, found)

    def test_what_is_no_fault(self):
        self.assertEqual(check("pkg/__init__.py", "_pkg/__init__.py", "pkg.pth", "pkg-stubs/__init__.pyi"), {("W009", "pkg"), ("W009", "pkg-stubs")})
        self.assertEqual(check("pkg/__init__.py", sdist=["src/pkg/__init__.py", "src/pkg/tests/test_a.py", "setup.py"]), set())
        self.assertEqual(check("a.py", "pkg-1.0.data/purelib/b.py") - {("W009", "a.py"), ("W009", "b.py")}, set())

    def test_many_messages_are_cut(self):
        members = {f"pkg/{n:04}.pyc": (str(n), 1) for n in range(600)}
        result = wheel_contents.check(members)
        self.assertEqual((len(result["messages"]), result["messagesOmitted"]), (500, 101))


if __name__ == "__main__":
    unittest.main()
