import json
import unittest

import paths  # noqa: F401
from bounded_log import BoundedLog
from recording import LINE_BYTES, Recording


class Lines(unittest.TestCase):
    def feed(self, *rows):
        recording = Recording()
        recording.feed(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
        return recording

    def test_a_session(self):
        found = self.feed(["s", "a"], ["t", "a", "passed"], ["c", "b.py", False, "numpy"], ["e", 1])
        self.assertEqual((found.outcomes, found.finished, found.running), ({"a": "passed"}, 1, None))
        self.assertEqual(found.collection_errors, [("b.py", False, "numpy")])

    def test_what_is_not_a_line_is_ignored(self):
        odd = [b"{{{\n", b"\xff\n", b"[" * 5000 + b"\n", ["t", 1, 2], ["t", "a", "odd"], {"t": 1}, ["c", "x", 1, None], [], 7, ["e", "0"]]
        found = self.feed(*odd)
        self.assertEqual((found.outcomes, found.collection_errors, found.finished), ({}, [], None))

    def test_lines_the_recorder_never_writes(self):
        for forged in (b"{{{\n", ["t", "a", "odd"], ["t", "a", "passed"], ["x"], {"t": 1}, 7):
            with self.subTest(forged):
                found = self.feed(["s", "b"], ["t", "b", "passed"], forged, ["s", "c"], ["t", "c", "passed"], ["s", "d"], ["t", "d", "skipped"])
                self.assertTrue(found.tampered)
                self.assertEqual({name: found.outcomes[name] for name in "bcd"}, {"b": "passed", "c": "error", "d": "skipped"})

    def test_lines_it_writes(self):
        rows = [["s", "a"], ["t", "a", "passed"], ["t", "set-up of B", "error"], ["c", "x.py", True, None], b"\n", b"[" + b"x" * (LINE_BYTES + 9) + b"\n", ["e", 1]]
        self.assertFalse(self.feed(*rows).tampered)
        recording = Recording()
        for _ in range(3):
            recording.feed(b"x" * LINE_BYTES)
        recording.feed(b"\n")
        self.assertFalse(recording.tampered)

    def test_covered_lines(self):
        recording = Recording({"a.py": frozenset({1, 2, 3}), "b.py": frozenset({1})})
        for row in (["l", "a.py", [1]], ["l", "a.py", [3, 9, -1]], ["l", "made/up.py", [1]], ["l", "a.py", []]):
            recording.feed(json.dumps(row).encode() + b"\n")
        self.assertEqual((recording.lines, recording.tampered), ({"a.py": {1, 3}}, False))
        for forged in (["l", "a.py", ["2"]], ["l", "a.py", [True]], ["l", "a.py", 2], ["l", 1, [2]], ["l", "a.py", [2], 0]):
            with self.subTest(forged):
                other = Recording({"a.py": frozenset({1, 2})})
                other.feed(json.dumps(forged).encode() + b"\n")
                self.assertEqual((other.lines, other.tampered), ({}, True))
        self.assertTrue(self.feed(["l", "a.py", [1]]).tampered, "none were asked for")

    def test_split_and_endless_lines(self):
        recording = Recording()
        for byte in b'["t","a","failed"]\n':
            recording.feed(bytes([byte]))
        self.assertEqual(recording.outcomes, {"a": "failed"})
        for _ in range(10):
            recording.feed(b"x" * LINE_BYTES)
        self.assertLessEqual(len(recording._rest), LINE_BYTES)

    def test_silence_ends_only_a_running_test(self):
        recording = self.feed(["s", "a"])
        self.assertIsNone(recording.expired(0))
        self.assertEqual(recording.expired(1e12), "timeout")
        self.assertIsNone(self.feed(["s", "a"], ["t", "a", "passed"]).expired(1e12))


class Log(unittest.TestCase):
    def test_keeps_both_ends(self):
        log = BoundedLog(100)
        for number in range(1000):
            log.write(b"%04d\n" % number)
        content = log.content()
        self.assertTrue(content.startswith(b"0000\n") and content.endswith(b"0999\n"))
        self.assertIn(b"bytes left out", content)
        self.assertLessEqual(len(content), 100)
        self.assertEqual((log.total, log.recent(5)), (5000, b"0999\n"))

    def test_short_logs_are_whole(self):
        for size in (1, 50, 51, 99, 100):
            log = BoundedLog(100)
            log.write(bytes(range(size)))
            self.assertEqual(log.content(), bytes(range(size)))
            self.assertEqual(log.recent(10), bytes(range(size))[-10:])


if __name__ == "__main__":
    unittest.main()
