import copy
import json
import unittest

import paths  # noqa: F401

import fitting


def size(value):
    return len(json.dumps(value, ensure_ascii=False).encode())


class Fence(unittest.TestCase):
    def records(self, count):
        return {
            "install": {"files": [{"path": f"{{site}}/{index:06}" + "x" * 90} for index in range(count)], "filesOmitted": 3, "events": []},
            "unittest": {"tests": {f"test_{index:06}": "passed" for index in range(count // 2)}, "testsOmitted": 0, "changes": []},
            "quality": {"tools": [{"tool": "pylint", "messages": [["C1", "a.py", index, 0] for index in range(10)], "messagesOmitted": 0}]},
            "clocks": {"shifts": [{"days": 30, "modules": ["a"] * 5, "tests": [], "events": ["e"] * 10}]},
        }

    def test_what_fits_stays_as_it_is(self):
        records = self.records(20)
        before = copy.deepcopy(records)
        fitting.fit(records)
        self.assertEqual(records, before)

    def test_the_largest_is_cut_and_counted_and_the_small_ones_stay(self):
        records = self.records(4000)
        fitting.fit(records, 100_000)
        install, tests = records["install"], records["unittest"]
        self.assertEqual(len(install["files"]) + install["filesOmitted"], 4003)
        self.assertEqual(len(tests["tests"]) + tests["testsOmitted"], 2000)
        self.assertLess(len(install["files"]), 4000)
        self.assertEqual(install["files"][0]["path"][:13], "{site}/000000")
        self.assertEqual(len(records["quality"]["tools"][0]["messages"]), 10)
        self.assertEqual(records["clocks"]["shifts"][0]["events"], ["e"] * 10)
        self.assertLess(size(records), 101_000)

    def test_the_same_records_are_cut_alike(self):
        one, two = self.records(4000), dict(reversed(self.records(4000).items()))
        fitting.fit(one, 50_000)
        fitting.fit(two, 50_000)
        self.assertEqual(one, two)


if __name__ == "__main__":
    unittest.main()
