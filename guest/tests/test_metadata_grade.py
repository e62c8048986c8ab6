import unittest

import paths  # noqa: F401

import metadata_grade
import static_metadata

GOOD = """Metadata-Version: 2.4
Name: pkg
Version: 1.0
Summary: A package that does something
Author-email: A <a@project.test>
License-Expression: MIT OR (Apache-2.0 AND BSD-3-Clause)
License-File: LICENSE
Classifier: Development Status :: 4 - Beta
Classifier: Programming Language :: Python :: 3
Classifier: Programming Language :: Python :: 3.11
Requires-Python: >=3.9.1
Requires-Dist: other>=1; python_version < "3.12"
Project-URL: Source, https://project.test/
Keywords: a,b
Description-Content-Type: text/markdown; charset=UTF-8; variant=GFM

""" + "# Title\n\nWhat it does, and how, in more than a few words.\n" * 3


def grade(text, typed=True, licensed=True):
    return metadata_grade.grade(static_metadata.parse(text.encode()), typed, licensed)


def codes(text):
    return {code for code, _ in grade(text)["messages"]}


@unittest.skipIf(static_metadata.packaging() is None, "neither packaging nor pip's copy of it is installed")
class Grade(unittest.TestCase):
    def test_the_best_and_the_worst(self):
        best = grade(GOOD)
        self.assertEqual((best["score"], best["messages"], [check for check in best["checks"] if not check[2]]), (10, [], []))
        self.assertEqual(grade("", False, False)["score"], 1)
        self.assertLess(grade("Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n", False, False)["score"], 5)

    def test_each_fault(self):
        cases = {
            "metadata-version-unknown": ("Metadata-Version: 2.4", "Metadata-Version: 9.9"), "name-invalid": ("Name: pkg", "Name: -pkg"),
            "version-invalid": ("Version: 1.0\nS", "Version: one\nS"), "version-not-normal": ("Version: 1.0\nS", "Version: 1.0-beta\nS"),
            "requirement-invalid": ("other>=1;", "other >= = 1;"), "requirement-direct-url": ("other>=1;", "other @ https://a.test/x.zip ;"),
            "requires-python-invalid": (">=3.9.1", "3.9+"), "requires-python-classifiers": (">=3.9.1", ">=3.12"), "requires-python-upper-bound": (">=3.9.1", ">=3.9,<4"),
            "license-expression-invalid": ("MIT OR (", "MIT OR OR ("), "license-twice": ("License-File", "License: MIT\nLicense-File"),
            "license-file-escapes": ("License-File: LICENSE", "License-File: ../LICENSE"), "description-type-invalid": ("text/markdown;", "text/html;"),
            "header-twice": ("Name: pkg", "Name: pkg\nName: other"), "email-invalid": ("A <a@project.test>", "nobody"),
            "unknown-as-value": ("Keywords: a,b", "Keywords: UNKNOWN"), "provides-extra-invalid": ("Keywords", "Provides-Extra: a b\nKeywords"),
            "provides-extra-not-normal": ("Keywords", "Provides-Extra: A_b\nKeywords"), "summary-too-long": ("A package", "A " + "long " * 200),
        }  # fmt: skip
        for code, (old, new) in cases.items():
            with self.subTest(code):
                self.assertIn(old, GOOD)
                self.assertIn(code, codes(GOOD.replace(old, new, 1)))

    def test_garbage(self):
        for text in ("\0" * 500, ":" * 500, "Name\n" * 500, "Requires-Dist: " + "(" * 5000, "Name: \u202e\ud800".encode("utf-8", "replace").decode()):
            self.assertLessEqual(grade(text)["score"], 5)


class Expressions(unittest.TestCase):
    def test_syntax(self):
        for value in ("MIT", "MIT OR Apache-2.0", "(MIT)", "GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0+", "LicenseRef-Own"):
            self.assertTrue(metadata_grade.is_expression(value), value)
        for value in ("", "MIT Apache", "(MIT", "MIT)", "OR MIT", "MIT OR", "MIT, BSD", "()"):
            self.assertFalse(metadata_grade.is_expression(value), value)


class Description(unittest.TestCase):
    def codes(self, body, kind=None):
        head = f"Name: a\nDescription-Content-Type: {kind}\n\n" if kind else "Name: a\n\n"
        return [code for code, _ in metadata_grade.check_description(static_metadata.parse((head + body).encode()))["messages"]]

    def test_codes(self):
        cases = (
            ("description-missing", "", "text/x-rst"), ("description-type-missing", "Text", None), ("description-placeholder", "UNKNOWN", None),
            ("description-sphinx-markup", "See :ref:`x`", "text/x-rst"), ("description-raw-or-include", ".. raw:: html\n", "text/x-rst"),
            ("description-short-underline", "A long title\n====\n", "text/x-rst"), ("description-markdown-as-rst", "# Title\n", None),
            ("description-rst-as-markdown", ".. note::\n", "text/markdown"),
        )  # fmt: skip
        for code, body, kind in cases:
            with self.subTest(code):
                self.assertIn(code, self.codes(body, kind))

    def test_nothing_to_say(self):
        self.assertEqual(self.codes("Title\n=====\n\n.. code:: python\n\n   x\n", "text/x-rst"), [])
        self.assertEqual(self.codes("# Title\n\n```python\nx\n```\n", "text/markdown"), [])


if __name__ == "__main__":
    unittest.main()
