import io
import os
import tarfile
import tempfile
import unittest

import paths  # noqa: F401

import archives
import members


class Members(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.target = f"{self.folder}/target"
        os.mkdir(self.target)

    def unpack(self, *rows):
        """Unpacks members given as (name, type, link target, mode); paths of what is there then."""
        path = f"{self.folder}/a.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, kind, link, mode in rows:
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.mode = kind, link, mode
                data = b"data" if kind == tarfile.REGTYPE else b""
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        archives.unpack_sdist(path, self.target)
        return sorted(os.path.relpath(f"{folder}/{name}", self.target) for folder, folders, files in os.walk(self.target) for name in folders + files)

    def file(self, name, mode=0o644):
        return name, tarfile.REGTYPE, "", mode

    def link(self, name, target, kind=tarfile.SYMTYPE):
        return name, kind, target, 0o777

    def test_what_a_source_distribution_holds(self):
        found = self.unpack(("p", tarfile.DIRTYPE, "", 0o777), self.file("p/a"), self.file("p/sub/b"), self.link("p/c", "sub/b"), self.link("p/d", "p/a", tarfile.LNKTYPE))
        self.assertEqual(found, ["a", "c", "d", "sub", "sub/b"])
        self.assertEqual(os.readlink(f"{self.target}/c"), "sub/b")
        self.assertTrue(os.path.samefile(f"{self.target}/a", f"{self.target}/d"))

    def test_what_would_escape_is_left_out(self):
        escaping = (
            self.file("../x"), self.file("p/../../x"), self.link("p/l", "/etc/passwd"), self.link("p/l", "../../x"),
            self.link("p/l", "../x", tarfile.LNKTYPE), self.link("p/l", "/etc/passwd", tarfile.LNKTYPE),
        )  # fmt: skip
        for row in escaping:
            with self.subTest(row):
                self.assertEqual(self.unpack(self.file("p/a"), row), ["a"])
                os.unlink(f"{self.target}/a")
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.tar.gz", "target"])

    def test_no_way_out_through_an_earlier_link(self):
        found = self.unpack(self.file("p/a"), self.link("p/up", "."), self.link("p/up2", "up/../.."), self.file("p/up2/x"))
        self.assertNotIn("x", os.listdir(self.folder))
        self.assertIn("a", found)

    def test_special_files_are_left_out(self):
        for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE):
            self.assertEqual(self.unpack(self.file("p/a"), ("p/s", kind, "", 0o644)), ["a"])
            os.unlink(f"{self.target}/a")

    def test_modes(self):
        modes = {0o4777: 0o755, 0o000: 0o600, 0o644: 0o644, 0o755: 0o755, 0o411: 0o600, 0o666: 0o644}
        self.unpack(*(self.file(f"p/{mode}", mode) for mode in modes))
        for mode, kept in modes.items():
            self.assertEqual(os.stat(f"{self.target}/{mode}").st_mode & 0o7777, kept, oct(mode))

    def test_absolute_names_become_relative(self):
        self.assertEqual(self.unpack(self.file("/p/a"), self.file("p/b")), ["a", "b"])

    @unittest.skipUnless(hasattr(tarfile, "data_filter"), "this Python has nothing to compare with")
    def test_as_the_standard_library_has_it(self):
        for row in (self.file("a", 0o4777), self.file("a", 0o411), self.file("/a"), self.file("../a"), self.link("a", "b"), self.link("a", "../b"), self.link("a", "/b"), self.link("a/b", "../c")):
            info = tarfile.TarInfo(row[0])
            info.type, info.linkname, info.mode = row[1:]
            try:
                other = tarfile.data_filter(info, self.target)
                expected = (other.name, other.linkname, other.mode if row[1] == tarfile.REGTYPE else None)
            except tarfile.FilterError:
                with self.subTest(row), self.assertRaises(members.Refused):
                    members.harmless(info, self.target)
                continue
            mine = members.harmless(info, self.target)
            self.assertEqual((mine.name, mine.linkname, mine.mode if row[1] == tarfile.REGTYPE else None), expected, row)


if __name__ == "__main__":
    unittest.main()
