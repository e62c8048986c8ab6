import unittest

import paths  # noqa: F401

import tests
from suite import Suite


def merged(*runs):
    return tests.merge([Suite(outcomes=run) for run in runs])


class Merge(unittest.TestCase):
    def test_flaky_only_across_runs(self):
        self.assertEqual(merged({"a": "passed", "b": "failed"}, {"a": "failed", "b": "failed"}), {"a": "flaky", "b": "failed"})
        self.assertEqual(merged({"a": "failed"}, {"a": "error"}, {"a": "failed"}), {"a": "error"})
        self.assertEqual(merged({"a": "passed"}, {"a": "skipped"}), {"a": "skipped"})

    def test_ids_with_addresses_meet_again(self):
        one = {"t[0x7f0000001]": "passed", "t[0x7f0000002]": "failed"}
        two = {"t[0x7f0000003]": "passed", "t[0x7f0000004]": "passed"}
        self.assertEqual(merged(one, two), {"t[{address}]": "passed", "t[{address}]#2": "flaky"})

    def test_fitting(self):
        kept, omitted = tests.fit_tests({"b": "passed", "a": "failed", "__proto__": "passed"})
        self.assertEqual((list(kept), omitted), (["a", "b"], 1))


if __name__ == "__main__":
    unittest.main()
