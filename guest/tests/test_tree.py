import os
import tempfile
import unittest
from unittest import mock

import made
import paths  # noqa: F401

import tree


class Changes(unittest.TestCase):
    def setUp(self):
        self.upper = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-upper-"))
        self.enterContext(mock.patch.object(tree, "UID", os.getuid()))
        self.tree = tree.Tree(self.upper)

    def write(self, path, content=b"x"):
        os.makedirs(os.path.dirname(f"{self.upper}{path}"), exist_ok=True)
        with open(f"{self.upper}{path}", "wb") as file:
            file.write(content)

    def test_added_changed_deleted(self):
        self.write("/home/user/a", b"1")
        self.write("/home/user/b", b"1")
        before = self.tree.snapshot()
        self.write("/home/user/a", b"22")
        os.unlink(f"{self.upper}/home/user/b")
        self.write("/work/venv/new", b"33")
        self.write("/tmp/ignored")
        self.write("/work/venv/__pycache__/x.pyc")
        os.symlink("/etc/shadow", f"{self.upper}/home/user/link")
        os.mkfifo(f"{self.upper}/home/user/pipe")
        rows, omitted = self.tree.changes(before, self.tree.snapshot(), hashed=True)
        found = {row["path"]: (row["kind"], row["type"], row.get("sha256")) for row in rows}
        self.assertEqual(omitted, 0)
        self.assertEqual(found["{home}/a"], ("changed", "file", made.digest(b"22")))
        self.assertEqual(found["{home}/b"], ("deleted", "file", None))
        self.assertEqual(found["{venv}/new"], ("added", "file", made.digest(b"33")))
        self.assertEqual(found["{home}/link"], ("added", "symlink", None))
        self.assertEqual(found["{home}/pipe"], ("added", "other", None))
        self.assertFalse([path for path in found if "ignored" in path or "pycache" in path])
        self.assertEqual([row["path"] for row in rows], sorted(found))

    def test_odd_names_and_the_limit(self):
        before = self.tree.snapshot()
        self.write("/home/user/\udcff\n")
        self.write("/home/user/tmpabcd1234/x", b"1")
        self.write("/home/user/tmpabcd5678/x", b"2")
        rows, _ = self.tree.changes(before, self.tree.snapshot(), hashed=True)
        found = {row["path"]: row for row in rows}
        self.assertIn("{home}/\\xff\n", found)
        self.assertNotIn("sha256", found["{home}/{random}/x"])
        with mock.patch.object(tree, "CHANGES", 1):
            rows, omitted = self.tree.changes(before, self.tree.snapshot(), hashed=False)
            self.assertEqual((len(rows), omitted > 0), (1, True))

    def test_neither_a_flood_nor_a_path_that_cannot_be_told_hides_the_others(self):
        before = self.tree.snapshot()
        self.write("/home/user/" + "\udcff" * 200 + "/" + "/".join(["\udcff" * 200] * 5) + "/x")
        for number in range(30):
            self.write(f"/home/user/a/{number}")
        self.write("/home/user/z/last")
        with mock.patch.object(tree, "CHANGES", 10):
            rows, omitted = self.tree.changes(before, self.tree.snapshot(), hashed=False)
        found = [row["path"] for row in rows]
        self.assertIn("{home}/z/last", found)
        self.assertEqual(found, sorted(found))
        self.assertEqual(len(found), 10)
        self.assertGreater(omitted, 20)


if __name__ == "__main__":
    unittest.main()
