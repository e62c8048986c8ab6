import types
import unittest

import paths  # noqa: F401
import static_declared
import static_metadata


def declared(headers, files=(), is_wheel=True, used=None):
    said = types.SimpleNamespace(files={name: ("0" * 64, 1) for name in files}, is_wheel=is_wheel, info_folder="p-1.dist-info" if is_wheel else "")
    used = said if used is None else types.SimpleNamespace(files=dict.fromkeys(used))
    return static_declared.declared(static_metadata.parse(headers.encode()), said, used)


class Licence(unittest.TestCase):
    def test_how_it_is_told(self):
        for headers, told, expression in (
            ("License-Expression: MIT OR Apache-2.0\n", "expression", "MIT OR Apache-2.0"),
            ("License-Expression: MIT OR\n", "expression", None),
            ("Classifier: License :: OSI Approved :: MIT License\nLicense: MIT\n", "classifier", None),
            ("License: do what you like\n", "text", None),
            ("Classifier: License :: \x1b[31m\n", "none", None),
            ("Name: p\n", "none", None),
        ):
            with self.subTest(headers):
                found = declared(headers)["license"]
                self.assertEqual((found["from"], found.get("expression")), (told, expression))

    def test_files_of_a_wheel(self):
        headers = "License-File: LICENSE\nLicense-File: COPYING.txt\nLicense-File: legal/NOTICE\n"
        files = ("p-1.dist-info/licenses/LICENSE", "p-1.dist-info/COPYING.txt", "p/__init__.py", "p/data/deep/LICENSE")
        found = declared(headers, files)["license"]
        self.assertEqual(found["files"], ["p-1.dist-info/COPYING.txt", "p-1.dist-info/licenses/LICENSE"])
        self.assertEqual(found["missing"], ["legal/NOTICE"])

    def test_files_of_a_source_distribution(self):
        found = declared("License-File: LICENSE\nLicense-File: AUTHORS\n", ("LICENSE", "p.py"), is_wheel=False)["license"]
        self.assertEqual((found["files"], found["missing"]), (["LICENSE"], ["AUTHORS"]))

    def test_lists_end(self):
        headers = "".join(f"Classifier: License :: Number {number}\nLicense-File: L{number}\n" for number in range(100))
        found = declared(headers, [f"LICENSE.{number}" for number in range(100)])["license"]
        self.assertEqual([len(found[key]) for key in ("classifiers", "files", "missing")], [20, 50, 50])


class Typed(unittest.TestCase):
    def test_by_the_files_that_get_installed(self):
        for files, kind in (
            (["p/__init__.py", "p/py.typed"], "marker"), (["p/py.typed", "p/a.pyi"], "marker"), (["p-stubs/__init__.pyi", "p-stubs/py.typed"], "stub-package"),
            (["p/a.pyi"], "stub-files"), (["py.typed", "p/a.py"], "none"),
        ):  # fmt: skip
            with self.subTest(files):
                self.assertEqual(declared("", ["setup.py"], used=files)["typed"], kind)


class Python(unittest.TestCase):
    def test_versions(self):
        rows = ["3 :: Only", "3", "3.9", "3.13", "3.10", "Implementation :: CPython", "3.99999", "3.\u0661"]
        found = declared("Requires-Python: >=3.9,!=3.9.1\n" + "".join(f"Classifier: Programming Language :: Python :: {row}\n" for row in rows))
        self.assertEqual(found["python"], {"classifiers": ["3.9", "3.10", "3.13"], "requires": ">=3.9,!=3.9.1"})

    def test_what_is_no_specifier_stays_out(self):
        for value in ("<script>", "three", "9" * 101, ""):
            self.assertNotIn("requires", declared(f"Requires-Python: {value}\n")["python"])


if __name__ == "__main__":
    unittest.main()
