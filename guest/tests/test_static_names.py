import os
import unittest

import paths  # noqa: F401

import static_names

RULES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rules")


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = static_names.load(RULES)

    def test_how_names_come_near(self):
        cases = {
            "reqeusts": ("requests", "edits"), "requestss": ("requests", "edits"), "djang0": ("django", "look-alike"), "co1orama": ("colorama", "look-alike"),
            "setup-tools": ("setuptools", "separators"), "dateutil-python": ("python-dateutil", "swapped-words"), "python-requests": ("requests", "affix"),
            "Re_queSts": ("requests", "separators"), "beautifulsoup": ("beautifulsoup4", "edits"),
        }  # fmt: skip
        for name, expected in cases.items():
            with self.subTest(name):
                self.assertIn(expected, static_names.close(self.names, name))

    def test_known_and_far_names_are_not_near(self):
        for name in ("requests", "Requests", "flask-login", "grequests", "pycairo", "a-tool-for-birds", "x", "six"):
            self.assertEqual(static_names.close(self.names, name), [], name)

    def test_few_of_the_known_names_would_have_been_reported(self):
        popular = set(self.names.popular)
        # A sample: every one of them takes half a minute.
        others = [name for name in sorted(self.names.known) if name not in popular][::15]
        near = [name for name in others if any(static_names._how(name, other) for other in self.names.popular)]
        self.assertLess(len(near), len(others) * 0.03)

    def test_modules_of_others(self):
        def found(project, *tops):
            return static_names.foreign_modules(self.names, project, tops)

        self.assertEqual(found("evil", "requests", "yaml", "evil"), [("requests", "requests"), ("yaml", "pyyaml")])
        for project, top in (("requests", "requests"), ("PyYAML", "yaml"), ("psycopg2-binary", "psycopg2"), ("opencv-python-headless", "cv2")):
            self.assertEqual(found(project, top), [])

    def test_distance(self):
        for one, two, expected in (("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xbc", 1), ("abc", "xyz", 2), ("kitten", "sitting", 2)):
            self.assertEqual(min(static_names._distance(one, two, 1), 2), expected)

    def test_the_list_says_where_it_is_from(self):
        with open(os.path.join(RULES, "popular-names.txt"), encoding="utf-8") as file:
            head = "".join(line for line in file if line.startswith("#"))
        for word in ("Source:", "dh-python", "trixie", "2026", "by hand"):
            self.assertIn(word, head)
        self.assertGreater(len(self.names.popular), 500)


if __name__ == "__main__":
    unittest.main()
