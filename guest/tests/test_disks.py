import hashlib
import io
import os
import struct
import tarfile
import tempfile
import unittest

import paths  # noqa: F401

import disks


def tar(*members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


PLAN = ("plan.json", b'{"a":1}')


class JobDisk(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def read(self, data, size=None, digest=None, magic=b"PYTIJOB1", disk_bytes=1 << 32):
        """Reads a sparse disk of constant size with `data` on it."""
        path = f"{self.folder}/disk"
        with open(path, "wb") as file:
            file.truncate(disk_bytes)
            file.write(struct.pack(">8sQ", magic, len(data)).ljust(disks.HEADER_BYTES, b"\0") + data)
        announced = {"bytes": len(data) if size is None else size, "sha256": digest or hashlib.sha256(data).hexdigest()}
        return disks.read_job(announced, path, f"{self.folder}/job")

    def test_reads_what_the_header_says_and_no_more(self):
        plan, files = self.read(tar(PLAN, ("files/a-1.0.whl", b"x" * 3_000_000), ("files/b", b"")))
        self.assertEqual(plan, {"a": 1})
        self.assertEqual(sorted(files), ["a-1.0.whl", "b"])
        self.assertEqual(os.path.getsize(files["a-1.0.whl"]), 3_000_000)
        self.assertEqual(os.stat(files["b"]).st_mode & 0o777, 0o444)

    def test_refuses_other_disks(self):
        good = tar(PLAN)
        cases = {
            "magic": lambda: self.read(good, magic=b"PYTIJOB2"),
            "other length": lambda: self.read(good, size=len(good) - 512),
            "other digest": lambda: self.read(good, digest="0" * 64),
            "shorter than it says": lambda: self.short(good),
            "no plan": lambda: self.read(tar(("files/a", b""))),
            "no tar": lambda: self.read(b"x" * 10240),
            "empty": lambda: self.read(b""),
        }
        for name, read in cases.items():
            with self.subTest(name), self.assertRaises((ValueError, tarfile.TarError)):
                read()

    def short(self, data):
        path = f"{self.folder}/short"
        with open(path, "wb") as file:
            file.write(struct.pack(">8sQ", b"PYTIJOB1", len(data) + 20480).ljust(disks.HEADER_BYTES, b"\0") + data)
        return disks.read_job({"bytes": len(data) + 20480, "sha256": "0" * 64}, path, f"{self.folder}/job")

    def test_refuses_odd_members(self):
        odd = ("../x", "files/../x", "files/", "files/.x", "files/a/b", "/etc/x", "x", "files", "files/\0x")
        for member in [(name, b"") for name in odd] + [("files/link", None), ("plan.json", None)]:
            with self.subTest(member), self.assertRaises((ValueError, OSError)):
                self.read(tar(member, *([PLAN] if member[0] != "plan.json" else [])))

    def test_refuses_a_name_twice(self):
        with self.assertRaises(OSError):
            self.read(tar(PLAN, ("files/a", b"1"), ("files/a", b"2")))


class OutputDisk(unittest.TestCase):
    def test_items_follow_each_other(self):
        with tempfile.NamedTemporaryFile() as disk:
            disk.truncate(1 << 20)
            items = [("a", b"123"), ("b", b""), ("c", b"x" * 700_000)]
            placed = disks.write_output(items, disk.name)
            self.assertEqual([(name, at) for name, _, at in placed], [("a", 0), ("b", 3), ("c", 3)])
            content = disk.read()
            self.assertEqual(len(content), 1 << 20)
            for _, data, at in placed:
                self.assertEqual(content[at : at + len(data)], data)

    def test_a_full_disk_is_an_error(self):
        with self.assertRaises(OSError):
            disks.write_output([("a", b"x" * 10_000)], "/dev/full")

    def test_no_disk_is_an_error(self):
        self.assertIsNone(disks.find(["/nonexistent/a", "/nonexistent/b"]))
        self.assertEqual(disks.find(["/nonexistent/a", "/dev/null"]), "/dev/null")


if __name__ == "__main__":
    unittest.main()
