import hashlib
import json
import random
import unittest
from unittest import mock

import paths  # noqa: F401

import events
import layout


class Templates(unittest.TestCase):
    def test_what_differs_between_runs_goes(self):
        pairs = (
            (f"{layout.SITE}/a.py", "{site}/a.py"),
            (f"--prefix={layout.VENV}/lib", "--prefix={venv}/lib"),
            (f"{layout.BUILD_VENV}/bin/x {layout.BUILD}/s {layout.HOME}", "{build-venv}/bin/x {build}/s {home}"),
            ("/work/buildings /home/username", "/work/buildings /home/username"),
            ("/tmp/tmpa1b2c3d4/x", "{tmp}/{random}/x"),
            ("/var/tmp/tmpa1b2c3d4.sh", "{tmp}/{random}.sh"),
            ("/tmp/pip-wheel-x1_2y3z4/w", "{tmp}/{random}/w"),
            ("/tmp/tmp.Ab3dEfGh1J/x", "{tmp}/{random}/x"),
            ("/tmp/cckQ3xY9.o", "{tmp}/cc{random}.o"),
            ("/tmp/abcx1y2z3w4", "{tmp}/abc{random}"),
            ("/tmp/qkxzjwvb.txt", "{tmp}/{random}.txt"),
            ("/tmp/tmp7s1qes6qcataaaa/bin/x", "{tmp}/{random}cataaaa/bin/x"),
            ("/tmp/tmpdirectory/x", "{tmp}/tmpdirectory/x"),
            ("/tmp/downloader.sh /tmp/payload1", "{tmp}/downloader.sh {tmp}/payload1"),
            ("/tmp/pytest-of-user/pytest-12/test_a0", "{tmp}/test_a0"),
            ("/proc/4242/mem /dev/fd/63 pid=77", "/proc/{number}/mem /dev/fd/{number} pid={number}"),
            ("main(12) spawn_main(tracker_fd=7, pipe_handle=9)", "main({number}) spawn_main(tracker_fd={number}, pipe_handle={number})"),
            ("0x7f0de2f6d590 123e4567-e89b-12d3-a456-426614174000", "{address} {uuid}"),
            ("'__anon_0x427f9350' a0x427f9350", "'__anon_{address}' a0x427f9350"),
            ("at 2026-11-20T16:30:01.5Z or 2026-11-20", "at {time} or {time}"),
            ("d41d8cd98f00b204e9800998ecf8427e 1700000000", "{hex} {number}"),
            ("_modified_time = 1763679144.7012343, 1763679144.5", "_modified_time = {number}, {number}"),
            ("tcp 192.0.2.1:8443 and 127.0.0.1:8000", "tcp 192.0.2.1:8443 and 127.0.0.1:8000"),
        )
        for given, wanted in pairs:
            self.assertEqual(events.template(given), wanted)

    def test_a_template_stays(self):
        source = random.Random(4)
        pieces = ["/tmp/", "tmpa1b2c3d4", layout.SITE, "/proc/12/", "0x7f00aa11bb22", "1234567", "-", " ", "ab", "=", "{", "}", "é"]
        for _ in range(2000):
            once = events.template(" ".join(source.choices(pieces, k=8)))
            self.assertEqual(events.template(once), once)

    def test_random_temporary_names_vanish(self):
        source = random.Random(5)
        letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
        left = sum(
            events.template("/tmp/tmp" + "".join(source.choices(letters, k=8))) != "{tmp}/{random}" for _ in range(2000)
        )
        self.assertEqual(left, 0)
        # Another prefix has no sign of its own; a few of 5,000 look like words.
        left = sum("{random}" not in events.template("/tmp/abc" + "".join(source.choices(letters, k=8))) for _ in range(5000))
        self.assertLess(left, 25)

    def test_sources(self):
        plain = b"x = 1\n"
        self.assertEqual(events.source_digest(plain), hashlib.sha256(plain).hexdigest())
        self.assertEqual(events.source_digest(b"x = 0x7f00aa11bb22"), events.source_digest(b"x = 0x7f00aa11bb99"))
        self.assertNotEqual(events.source_digest(b"x = 1"), events.source_digest(b"x = 2"))


class Rows(unittest.TestCase):
    def setUp(self):
        self.events = events.Events()

    def test_rows_are_sorted_unique_and_counted(self):
        for times, what in ((1, "c"), (2, "b"), (9, "bb"), (10, "a")):
            for _ in range(times):
                self.events.add("exec", what)
        self.events.add("connect", "tcp 192.0.2.1:443", by="x")
        self.events.add("connect", "tcp 192.0.2.1:443", by="x", at=f"{layout.SITE}/p/m.py:3")
        rows, omitted = self.events.rows()
        self.assertEqual(omitted, 0)
        self.assertEqual(rows[:2], [
            {"kind": "connect", "what": "tcp 192.0.2.1:443", "by": "x", "times": "once"},
            {"kind": "connect", "what": "tcp 192.0.2.1:443", "by": "x", "at": "{site}/p/m.py:3", "times": "once"},
        ])  # fmt: skip
        self.assertEqual([(row["what"], row["times"]) for row in rows[2:]], [("a", "many"), ("b", "few"), ("bb", "few"), ("c", "once")])

    def test_what_is_run_again_adds_what_is_new_and_counts_nothing_twice(self):
        again = events.Events()
        self.events.add("exec", "sh -c 4242")
        self.events.know_pids({4242})
        again.know_pids({5151})
        for what in ("sh -c 5151", "sh -c 5151", "only then"):
            again.add("exec", what)
        self.events.merge_new(again)
        rows, _ = self.events.rows()
        self.assertEqual([(row["what"], row["times"]) for row in rows], [("only then", "once"), ("sh -c {pid}", "once")])

    def test_order_does_not_matter_not_even_beyond_the_limit(self):
        made = [("exec", f"run-{number:x}z") for number in range(9000)] + [("tamper", "x"), ("kill", "SIGKILL all")]
        answers = []
        for seed in range(3):
            shuffled = list(made)
            random.Random(seed).shuffle(shuffled)
            one = events.Events()
            for kind, what in shuffled:
                one.add(kind, what)
            answers.append(one.rows())
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])
        rows, omitted = answers[0]
        self.assertEqual((len(rows), omitted), (2000, 9002 - 2000))
        self.assertEqual({row["kind"] for row in rows}, {"exec", "tamper", "kill"})

    def test_long_texts_fit_and_a_flood_of_them_pushes_nothing_out(self):
        found = events.Events()
        for index in range(1500):
            # Letters a template leaves alone, three bytes each.
            word = "".join(chr(0x4E00 + int(digit)) for digit in str(index)) * 240
            found.add("exec", word, by=word, at=word)
        found.add("tamper", "device")
        found.add("bait-left", "ssh-key plain in POST https://name.test/")
        rows, omitted = found.rows()
        self.assertLessEqual(len(json.dumps(rows, ensure_ascii=False).encode()), events.ROWS_BYTES + 4 * len(rows))
        self.assertEqual(len(rows) + omitted, 1502)
        self.assertGreater(len(rows), 30)
        self.assertLessEqual({"tamper", "bait-left", "exec"}, {row["kind"] for row in rows})

    def test_any_text_is_safe(self):
        for what in ("\udcff\ud800", b"\xff\x00", "x" * 5000, "\U0001f600" * 900, "a\nb"):
            self.events.add("exec", what, by=what, at=what)
        rows, _ = self.events.rows()
        for row in rows:
            for value in row.values():
                self.assertLessEqual(len(value.encode("utf-16-le")) // 2, 1000)
        json.dumps(rows, ensure_ascii=False).encode()
        self.assertEqual(len(rows), 5)

    def test_bad_kinds_and_empty_ones(self):
        self.assertRaises(ValueError, self.events.add, "surprise", "x")
        self.events.add("exec", "")
        self.assertEqual(self.events.rows(), ([], 0))

    def test_digests_stay(self):
        digest = hashlib.sha256(b"").hexdigest()
        self.events.add("code", digest, at="/x:1")
        self.assertEqual(self.events.rows()[0][0]["what"], digest)

    def test_merge(self):
        other = events.Events()
        other.add("exec", "/tmp/tmpabcd1234")
        self.events.add("exec", "/tmp/tmpabcd9999")
        self.events.merge(other)
        self.assertEqual(self.events.rows()[0], [{"kind": "exec", "what": "{tmp}/{random}", "times": "few"}])

    def test_pids_of_the_task_vanish(self):
        for pid in (4711, 4712):
            self.events.add("exec", f"sh -c 'echo {pid} 4710 192.0.2.4711'", by=f"x.{pid}")
        self.events.add("code", "4711" * 16)
        self.events.know_pids({4711, 4712})
        rows, omitted = self.events.rows()
        self.assertEqual([row["what"] for row in rows], ["4711" * 16, "sh -c 'echo {pid} 4710 192.0.2.4711'"])
        self.assertEqual((rows[1]["by"], rows[1]["times"], omitted), ("x.{pid}", "few", 0))

    def test_pids_in_a_long_text_neither_lengthen_it_nor_make_two_runs_differ(self):
        rows = []
        for pid in (123, 4567):
            found = events.Events()
            found.add("exec", f"cc -I/a/{pid} " * 200, by=f"make {pid} " * 300)
            found.know_pids({pid})
            rows.append(found.rows()[0])
        self.assertEqual(rows[0], rows[1])
        for name in ("what", "by"):
            self.assertIn("{pid}", rows[0][0][name])
            self.assertEqual(len(rows[0][0][name]), 1000)

    def test_short_numbers_inside_names_are_no_pids(self):
        self.events.know_pids({313, 512, 31415})
        for what in ("cc libx.AVX512_ICL.a.p", "cc m.cpython-313-x86_64-linux-gnu.so.p", "run /tmp/a-512.sock", "run x31415y"):
            self.events.add("exec", what)
        rows, _ = self.events.rows()
        self.assertEqual(
            sorted(row["what"] for row in rows),
            ["cc libx.AVX512_ICL.a.p", "cc m.cpython-313-x86_64-linux-gnu.so.p", "run x{pid}y", "run {tmp}/a-{pid}.sock"],
        )

    def test_build_folders_of_meson_have_random_names(self):
        self.events.add("exec", "cython -I /work/build/source/.mesonpy-gtxi0pcb/pandas")
        self.assertEqual(self.events.rows()[0][0]["what"], "cython -I {build}/source/.{random}/pandas")

    def test_memory_is_bounded(self):
        with mock.patch.object(events, "HELD", 10), mock.patch.object(events, "OMITTED_MOST", 50), mock.patch.object(events, "LIMIT", 5):
            for number in range(1000):
                self.events.add("exec", f"x{number}z")
            rows, omitted = self.events.rows()
        self.assertEqual([row["what"] for row in rows], ["x0z", "x100z", "x101z", "x102z", "x103z"])
        self.assertEqual(omitted, 50)
        self.assertLessEqual(len(self.events._counts["exec"]), 21)


if __name__ == "__main__":
    unittest.main()
