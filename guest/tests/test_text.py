import unittest

import paths  # noqa: F401
import text


class Text(unittest.TestCase):
    def test_clip_counts_utf16_units_and_never_splits(self):
        self.assertEqual(text.clip("abc", 2), "ab")
        self.assertEqual(text.clip("\U0001f600\U0001f600", 3), "\U0001f600")
        self.assertEqual(text.clip("\ud800x", 100), "\\ud800x")
        self.assertEqual(text.clip("a\U0001f600\U0001f600", 4), "a\U0001f600")
        self.assertEqual([text.units(value) for value in ("", "a", "\U0001f600", "\udc80")], [0, 1, 2, 1])

    def test_a_clip_is_no_more_work_for_characters_of_two_units(self):
        # Character by character this would be hours.
        self.assertEqual(text.clip("\U0001f600" * 1_000_000, 1_000_000), "\U0001f600" * 500_000)

    def test_names_of_pip(self):
        for words in ("install", "build-env", "ephem-wheel-cache", "standalone-pip", "modern-metadata"):
            self.assertEqual(text.stable_path(f"/x/pip-{words}-ab12cd3_/y"), "/x/{random}/y")
        # Were each a start of its own, this would be hours.
        self.assertEqual(text.stable_path("pip-" * 500_000), "pip-" * 500_000)

    def test_ids_are_equal_on_every_machine(self):
        cases = {
            "t.py::a[<object object at 0x7f01abcdef10>]": "t.py::a[<object object at {address}>]",
            "t.py::a[/tmp/pytest-of-user/pytest-12/x0]": "t.py::a[{tmp}/x0]",
            "t.py::a[/work/tests/data.txt]": "t.py::a[{tests}/data.txt]",
            "t.py::a[tmpab12_xyz]": "t.py::a[{random}]",
            "t.py::a[0x10]": "t.py::a[0x10]",
            "t.py::a[0190a6f0-7c1e-7abc-9def-0123456789ab]": "t.py::a[{uuid}]",
            "t.py::a[x_tmpab12_xyz]": "t.py::a[x_{random}]",
            "t.py::a[2020-01-02]": "t.py::a[2020-01-02]",
        }
        for given, wanted in cases.items():
            self.assertEqual(text.stable_id(given), wanted)

    def test_paths(self):
        self.assertEqual(text.stable_path("/home/user/.x"), "{home}/.x")
        self.assertEqual(text.stable_path("/home/userx"), "/home/userx")
        for name in (".coverage.host.pid314.XDPjH9Yx.HNQIp837rWOh", ".coverage.host.pid7.XabcdEFx", ".coverage.host.314.012345"):
            self.assertEqual(text.stable_path(f"/home/user/{name}"), "{home}/.coverage.host.{random}")
        self.assertEqual(text.stable_path("/home/user/a.pid12"), "{home}/a.pid12")
        self.assertEqual(text.stable_path("/work/venv/bin/a\udcff"), "{scripts}/a\\xff")

    def test_excerpt_is_bounded(self):
        found = text.excerpt(("\u00e9" * 5000 + "\nlast").encode())
        self.assertLessEqual(len(found.encode()), 2048)
        self.assertTrue(found.endswith("last"))


if __name__ == "__main__":
    unittest.main()
