import os
import tempfile
import unittest

import made
import paths  # noqa: F401

import archives
import wheel_unpacker


class Unpack(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-wheel-"))
        self.venv = f"{self.folder}/venv"
        os.makedirs(f"{self.venv}/bin")

    def install(self, files):
        wheel_unpacker.install([made.wheel(self.folder, "pkg", files)], self.venv, "lib/site")

    def test_parts(self):
        entry = "[console_scripts]\nrun = pkg.cli:main.go [extra]\nbad/../x = pkg:main\n"
        self.install({
            "pkg/__init__.py": "x = 1\n",
            "pkg-1.0.data/scripts/tool": "#!python\nprint(1)\n",
            "pkg-1.0.data/data/share/a.txt": "a",
            "pkg-1.0.data/purelib/extra.py": "",
            "pkg-1.0.dist-info/entry_points.txt": entry,
        })  # fmt: skip
        with open(f"{self.venv}/bin/tool", encoding="utf-8") as file:
            self.assertEqual(file.readline(), f"#!{self.venv}/bin/python\n")
        with open(f"{self.venv}/bin/run", encoding="utf-8") as file:
            self.assertIn("from pkg.cli import main\n", file.read())
        self.assertEqual(sorted(os.listdir(f"{self.venv}/bin")), ["run", "tool"])
        self.assertTrue(os.access(f"{self.venv}/bin/run", os.X_OK))
        self.assertTrue(os.path.exists(f"{self.venv}/share/a.txt"))
        self.assertTrue(os.path.exists(f"{self.venv}/lib/site/extra.py"))

    def test_escapes_are_left_out(self):
        self.install({"../../../out": "x", "/abs": "x", "pkg-1.0.data/data/../../../../out2": "x", "ok.py": ""})
        self.assertEqual(sorted(os.listdir(self.folder)), ["pkg-1.0-py3-none-any.whl", "venv"])
        self.assertTrue(os.path.exists(f"{self.venv}/lib/site/ok.py"))

    def test_members_are_sorted_without_record(self):
        path = made.wheel(self.folder, "pkg", {"b.py": "1", "a.py": "2"})
        import json

        listed = json.loads(archives.wheel_members(path))
        self.assertEqual([name for name, _ in listed["files"]][:2], ["a.py", "b.py"])
        self.assertNotIn("pkg-1.0.dist-info/RECORD", [name for name, _ in listed["files"]])
        self.assertEqual(listed["files"][0][1], made.digest(b"2"))


if __name__ == "__main__":
    unittest.main()
