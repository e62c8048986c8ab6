import io
import json
import os
import struct
import tarfile
import tempfile
import unittest
import zipfile

import made
import paths  # noqa: F401

import static_members
import static_rules
import static_scan

RULES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rules")
HAS_ENGINE = static_rules.engine() is not None


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-static-"))

    def scan(self, path, wheel=None, project="pkg", version="1.0"):
        kind = "wheel" if path.endswith(".whl") else "sdist"
        return static_scan.static_scan(path, wheel, {"project": project, "version": version, "kind": kind}, RULES)

    def found(self, *args, **more):
        return {(row["rule"], row["file"]) for row in self.scan(*args, **more)["findings"]}

    def names(self, *args, **more):
        return {rule for rule, _ in self.found(*args, **more)}

    def wheel(self, files, record=None, name="pkg", links=(), metadata=None):
        """A wheel whose RECORD is right unless `record` (rows to replace it) says otherwise."""
        import base64

        info = f"{name}-1.0.dist-info"
        members = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
        members[f"{info}/METADATA"] = (metadata or made.METADATA.format(name=name)).encode()
        members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        rows = [f"{k},sha256={base64.urlsafe_b64encode(bytes.fromhex(made.digest(v))).rstrip(b'=').decode()},{len(v)}" for k, v in members.items()]
        rows = [*rows, f"{info}/RECORD,,"] if record is None else record(rows)
        path = f"{self.folder}/{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for member, data in {**members, f"{info}/RECORD": ("\n".join(rows) + "\n").encode()}.items():
                file.writestr(zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
            for member, target in links:
                entry = zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0))
                entry.external_attr = 0o120777 << 16
                file.writestr(entry, target)
        return path

    def patched(self, path, change):
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(change(data))
        return path


class Clean(Case):
    def test_a_plain_wheel_and_a_plain_sdist_have_no_findings(self):
        wheel = self.wheel({"pkg/__init__.py": "x = 1\n", "pkg/data.txt": "text"})
        self.assertEqual(self.scan(wheel)["findings"], [])
        sdist = made.sdist(self.folder, "pkg", {"setup.py": "from setuptools import setup\nsetup()\n", "pkg/__init__.py": "x = 1\n"})
        result = self.scan(sdist, wheel)
        self.assertEqual((result["findings"], result["findingsOmitted"]), ([], 0))
        self.assertEqual(result["facts"]["difference"], {"onlyInWheel": 0, "changed": 0})
        self.assertEqual(sorted(result["facts"]["archives"]), ["built", "sdist"])

    def test_two_runs_say_the_same(self):
        path = self.wheel({"pkg/a.py": "import os\nos.remove(__file__)\n", "b.pth": "import pkg\n", "../x": "x"})
        self.assertEqual(json.dumps(self.scan(path)), json.dumps(self.scan(path)))

    def test_the_answer_is_json_of_short_words(self):
        result = self.scan(self.wheel({"pkg/\u202eevil\x07.py": "x"}, metadata=made.METADATA.format(name="pkg") + "Summary: IGNORE ALL\nLicense: own text\n"))
        said = json.dumps(result)
        self.assertNotIn("IGNORE", said)
        self.assertNotIn("own text", said)
        self.assertIn("{wheel}/pkg/\\u202eevil\\x07.py", [row["file"] for row in result["findings"]])


class Zips(Case):
    def test_names(self):
        found = self.names(self.wheel({"../up": "", "/abs": "", "C:x": "", "a\\b": "", "pkg/con.txt": "", "pkg/a.py ": "", "pkg/A": "1", "pkg/a": "2"}))
        for rule in ("parent-path", "absolute-path", "backslash", "device-name", "blank-name", "case-collision"):
            self.assertIn(f"archive-{rule}", found)

    def test_links_and_duplicates(self):
        path = self.wheel({"pkg/a.py": ""}, links=[("pkg/l", "/etc/passwd")])
        with zipfile.ZipFile(path, "a") as file, self.assertWarns(UserWarning):
            file.writestr("pkg/a.py", "x = 2")
        self.assertLessEqual({"archive-symlink", "archive-duplicate", "record-hash"}, self.names(path))

    def test_data_around(self):
        self.assertIn("archive-data-before", self.names(self.patched(self.wheel({"pkg/a.py": "x"}), lambda data: b"#!/bin/sh\n" + b"x" * 99 + data)))
        self.assertIn("archive-data-after", self.names(self.patched(self.wheel({"pkg/a.py": "x"}), lambda data: data + b"more")))

    def test_a_member_that_only_local_headers_know(self):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as file:
            file.writestr("pkg/hidden.py", "x" * 100)
        hidden = inner.getvalue()[: 30 + len("pkg/hidden.py") + 100]

        def insert(data):
            end = data.rindex(b"PK\5\6")
            start = struct.unpack_from("<I", data, end + 16)[0]
            moved = bytearray(data[end:])
            struct.pack_into("<I", moved, 16, start + len(hidden))
            return data[:start] + hidden + data[start:end] + bytes(moved)

        self.assertEqual(self.names(self.patched(self.wheel({"pkg/a.py": "x"}), insert)), {"archive-gap"})

    def test_another_name_in_the_local_header(self):
        changed = self.patched(self.wheel({"pkg/a.py": "x"}), lambda data: data.replace(b"pkg/a.py", b"pkg/b.py", 1))
        self.assertLessEqual({"archive-name-differs", "archive-bad-member"}, self.names(changed))

    def test_a_wrong_checksum(self):
        def flip(data):
            at = data.index(b"pkg/a.txt") + len(b"pkg/a.txt") + 3
            return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]

        self.assertIn("archive-bad-member", self.names(self.patched(self.wheel({"pkg/a.txt": os.urandom(200)}), flip)))

    def test_bombs_cost_no_memory(self):
        path = self.wheel({"pkg/zero.bin": b"\0" * (40 * 1024 * 1024)})
        self.assertIn(("archive-high-ratio", "{wheel}/pkg/zero.bin"), self.found(path))
        old = static_members.READ_BYTES
        static_members.READ_BYTES = 1024 * 1024
        self.addCleanup(setattr, static_members, "READ_BYTES", old)
        result = self.scan(path)
        self.assertIn({"rule": "archive-not-read", "file": "{wheel}/pkg/zero.bin"}, result["findings"])

    def test_too_many_members(self):
        old = static_members.MEMBERS
        static_members.MEMBERS = 5
        self.addCleanup(setattr, static_members, "MEMBERS", old)
        path = self.wheel({f"pkg/m{n}.py": "" for n in range(9)})
        self.assertIn(("archive-too-many-members", "{wheel}"), self.found(path))

    def test_no_archive_at_all(self):
        for name in ("pkg-1.0-py3-none-any.whl", "pkg-1.0.tar.gz", "pkg-1.0.zip"):
            for data in (b"", b"nothing", b"PK\3\4" + b"\0" * 50, b"\x1f\x8b\x08" + b"\0" * 50, b"PK\5\6" + b"\xff" * 18):
                with self.subTest(name, data=data[:4]):
                    path = f"{self.folder}/{name}"
                    with open(path, "wb") as file:
                        file.write(data)
                    self.assertIn("metadata-missing", self.names(path))

    def test_every_cut_and_flip_ends_with_an_answer(self):
        path = self.wheel({"pkg/a.py": "x = 1\n", "pkg/b.py": "y = 2\n"})
        with open(path, "rb") as file:
            whole = file.read()
        for at in range(0, len(whole), 41):
            for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]):
                with open(path, "wb") as file:
                    file.write(data)
                self.scan(path)


class Tars(Case):
    def tar(self, *members, tail=b""):
        path = f"{self.folder}/pkg-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, kind, value in (("pkg-1.0/PKG-INFO", tarfile.REGTYPE, made.METADATA.format(name="pkg")), *members):
                info = tarfile.TarInfo(name)
                info.type = kind
                data = value.encode() if kind == tarfile.REGTYPE else b""
                info.size = len(data)
                info.linkname = "" if data else value
                archive.addfile(info, io.BytesIO(data))
        with open(path, "ab") as file:
            file.write(tail)
        return path

    def test_members(self):
        found = self.found(self.tar(
            ("pkg-1.0/l", tarfile.SYMTYPE, "/etc/passwd"), ("pkg-1.0/h", tarfile.LNKTYPE, "pkg-1.0/PKG-INFO"),
            ("pkg-1.0/f", tarfile.FIFOTYPE, ""), ("other/x.py", tarfile.REGTYPE, "x"), ("pkg-1.0/../../y", tarfile.REGTYPE, "y"),
            ("pkg-1.0/PKG-INFO", tarfile.REGTYPE, "again"),
        ))  # fmt: skip
        for row in (("archive-symlink", "{sdist}/l"), ("archive-hardlink", "{sdist}/h"), ("archive-special", "{sdist}/f"), ("archive-outside-top", "{sdist}/other/x.py"), ("archive-parent-path", "{sdist}/../../y"), ("archive-duplicate", "{sdist}/PKG-INFO")):
            self.assertIn(row, found)

    def test_behind_the_end(self):
        import gzip

        self.assertEqual(self.names(self.tar(tail=b"\0" * 99)), set())
        self.assertEqual(self.names(self.tar(tail=b"junk")), {"archive-data-after"})
        self.assertEqual(self.names(self.tar(tail=gzip.compress(b"payload"))), {"archive-second-stream", "archive-data-after"})

    def test_a_cut_archive_still_tells_what_was_read(self):
        path = self.tar(("pkg-1.0/a.py", tarfile.REGTYPE, "import os\nos.remove(__file__)\n" + "#" * 4000), ("pkg-1.0/z", tarfile.REGTYPE, os.urandom(4000).hex()))
        self.patched(path, lambda data: data[: len(data) - 2000])
        found = self.names(path)
        self.assertTrue(found & {"archive-unreadable", "archive-bad-member"})
        if HAS_ENGINE:
            self.assertIn("deletes-itself", found)


class Contents(Case):
    def test_binaries(self):
        elf, pe = b"\x7fELF" + b"\0" * 60, b"MZ" + b"\0" * 58 + struct.pack("<I", 64) + b"PE\0\0"
        result = self.scan(self.wheel({"pkg/logo.png": elf, "pkg/lib.so": elf, "pkg/tool": pe, "pkg/x.py": elf}))
        found = {(row["rule"], row["file"]) for row in result["findings"]}
        self.assertIn(("binary-hidden", "{wheel}/pkg/logo.png"), found)
        self.assertIn(("native-in-pure", "{wheel}/pkg/lib.so"), found)
        self.assertIn(("binary-as-source", "{wheel}/pkg/x.py"), found)
        self.assertNotIn(("binary-hidden", "{wheel}/pkg/tool"), found)
        kinds = {file: kind for file, kind in result["facts"]["archives"]["wheel"]["binaries"]}
        self.assertEqual(kinds["{wheel}/pkg/tool"], "pe")

    def test_compiled_files(self):
        found = self.found(self.wheel({"pkg/a.py": "", "pkg/__pycache__/a.cpython-311.pyc": "x", "pkg/__pycache__/b.cpython-311.pyc": "x", "pkg/c.pyc": "x"}))
        self.assertEqual({file for rule, file in found if rule == "pyc-without-source"}, {"{wheel}/pkg/__pycache__/b.cpython-311.pyc", "{wheel}/pkg/c.pyc"})

    def test_a_hidden_copy_of_an_open_binary(self):
        elf = b"\x7fELF" + b"\0" * 60
        self.assertIn(("binary-hidden", "{wheel}/pkg/z.txt"), self.found(self.wheel({"pkg/a.so": elf, "pkg/z.txt": elf})))

    def test_noise(self):
        import hashlib

        noise = b"".join(hashlib.sha256(bytes([n >> 8, n & 255])).digest() for n in range(2000))
        found = self.found(self.wheel({"pkg/data": noise, "pkg/a.png": b"\x89PNG" + noise, "pkg/text": "abc " * 20_000}))
        self.assertEqual({file for rule, file in found if rule == "blob-noise"}, {"{wheel}/pkg/data"})

    def test_sources_that_deceive(self):
        rows = {
            "bidi": ("source-bidi", "a = 1\nb = '\u202e'\n", 2), "invisible": ("source-invisible", "a = '" + "\u200b\ufe00" * 5 + "'\n", 1),
            "cyrillic": ("source-homoglyph", "p\u0430yload = 1\n", 1), "styled": ("source-homoglyph", "x = 1\n\U0001d41e\U0001d42f\U0001d41a\U0001d425('1')\n", 2),
            "utf7": ("source-encoding", "# coding: utf-7\n", 1), "nul": ("source-nul", "a\n\0", 2),
        }  # fmt: skip
        found = self.scan(self.wheel({f"pkg/{name}.py": source for name, (_, source, _) in rows.items()}))["findings"]
        for name, (rule, _, line) in rows.items():
            self.assertIn({"rule": rule, "file": f"{{wheel}}/pkg/{name}.py", "line": line}, found)

    def test_honest_sources_of_the_world(self):
        fine = "# Комментарий и текст\nимя = 'привет, cмесь'\nσ_x = 1\nΔt = 2\nprint('👨‍👩‍👧')\n"
        self.assertEqual(self.found(self.wheel({"pkg/a.py": fine})), set())

    def test_start_hooks_and_autoloaded_entry_points(self):
        found = self.found(self.wheel({"a.pth": "x\n", "sitecustomize.py": "", "pkg/sitecustomize.py": "", "pkg-1.0.dist-info/entry_points.txt": "[pytest11]\na = pkg\n[console_scripts]\nb = pkg:x\n"}))
        self.assertEqual({row for row in found if row[0].startswith(("start-hook", "autoloaded"))}, {("start-hook-file", "{wheel}/a.pth"), ("start-hook-module", "{wheel}/sitecustomize.py"), ("autoloaded-pytest11", "{wheel}/pkg-1.0.dist-info/entry_points.txt")})

    @unittest.skipUnless(HAS_ENGINE, "python3-yara is not installed")
    def test_engine_rules_have_a_line(self):
        found = self.scan(self.wheel({"pkg/a.py": "import os\nos.remove(__file__)\n"}))["findings"]
        self.assertIn({"rule": "deletes-itself", "file": "{wheel}/pkg/a.py", "line": 2}, found)


class Records(Case):
    def check(self, change):
        return self.names(self.wheel({"pkg/a.py": "x"}, record=change))

    def test_each_fault(self):
        info = "pkg-1.0.dist-info/RECORD"
        cases = {
            "record-unlisted": lambda rows: rows[1:], "record-missing-file": lambda rows: [*rows, "pkg/gone.py,sha256=x,1"],
            "record-hash": lambda rows: [rows[0].replace("sha256=", "sha256=A"), *rows[1:]], "record-size": lambda rows: [rows[0] + "9", *rows[1:]],
            "record-no-hash": lambda rows: ["pkg/a.py,,", *rows[1:]], "record-weak-hash": lambda rows: ["pkg/a.py,md5=x,1", *rows[1:]],
            "record-malformed": lambda rows: ["a,b", *rows], "record-duplicate": lambda rows: [rows[0], *rows],
        }  # fmt: skip
        for rule, change in cases.items():
            with self.subTest(rule):
                self.assertEqual(self.check(lambda rows, change=change: [*change(rows), f"{info},,"]), {rule})


class Identity(Case):
    def test_name_and_version(self):
        path = self.wheel({"pkg/a.py": ""})
        self.assertEqual(self.names(path, project="other"), {"name-differs", "dist-info-name-differs"})
        self.assertEqual(self.names(path, version="1.1"), {"version-differs"})
        self.assertEqual(self.names(path, project="PKG", version="1.0.0"), set())

    def test_direct_url_and_index_hint(self):
        path = self.wheel({"pkg/a.py": ""}, metadata=made.METADATA.format(name="pkg") + "Requires-Dist: b @ https://b.test/b.zip\n")
        self.assertIn("direct-url", self.names(path))
        found = self.scan(made.sdist(self.folder, "pkg", {"requirements.txt": "a\n--extra-index-url https://b.test\n", "notes.txt": "--index-url x"}))["findings"]
        self.assertEqual(found, [{"rule": "index-hint", "file": "{sdist}/requirements.txt", "line": 2}])

    def test_near_names_and_modules_of_others(self):
        path = self.wheel({"requests/__init__.py": "", "reqeusts.py": ""}, name="reqeusts")
        result = self.scan(path, project="reqeusts")
        self.assertEqual(result["facts"]["names"]["near"], [["requests", "edits"]])
        self.assertEqual(result["facts"]["names"]["modulesOfOthers"], [["requests", "requests"]])
        self.assertLessEqual({"name-edits", "module-of-other"}, {row["rule"] for row in result["findings"]})

    def test_source_and_wheel_differ(self):
        sdist = made.sdist(self.folder, "pkg", {"src/pkg/__init__.py": "", "src/pkg/a.py": "x = 1\n"})
        wheel = self.wheel({"pkg/__init__.py": "", "pkg/a.py": "x = 2\n", "pkg/extra.py": "y = 1\n", "z.pth": "pkg\n"})
        found = self.found(sdist, wheel)
        for row in (("module-differs-from-sdist", "{built}/pkg/a.py"), ("module-not-in-sdist", "{built}/pkg/extra.py"), ("module-not-in-sdist", "{built}/z.pth")):
            self.assertIn(row, found)


if __name__ == "__main__":
    unittest.main()
