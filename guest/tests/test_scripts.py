import os
import tempfile
import unittest
from unittest import mock

import paths  # noqa: F401
import layout
import scripts
from job import Report
from sandboxed import Outcome

ENTRY_POINTS = "[console_scripts]\nb = pkg:main\na.b-c = pkg:other [extra]\n../evil = pkg:x\nabsent = pkg:y\n[gui_scripts]\nwindow = pkg:z\n"


class Names(unittest.TestCase):
    def setUp(self):
        folder = os.path.realpath(self.enterContext(tempfile.TemporaryDirectory()))
        self.info = f"{folder}/site/p-1.dist-info/entry_points.txt"
        os.makedirs(os.path.dirname(self.info))
        self.enterContext(mock.patch.object(layout, "SITE", f"{folder}/site"))
        self.enterContext(mock.patch.object(layout, "SCRIPTS", f"{folder}/bin"))
        self.own = [self.info, *(f"{folder}/bin/{name}" for name in ("b", "a.b-c", "window", "../evil"))]

    def names(self, content):
        with open(self.info, "wb") as file:
            file.write(content)
        return scripts.console_scripts(self.own)

    def test_only_installed_console_scripts(self):
        self.assertEqual(self.names(ENTRY_POINTS.encode()), ["a.b-c", "b"])

    def test_what_is_no_such_file(self):
        for content in (b"", b"\xff\xfe", b"no section = 1", b"[console_scripts\n", b"[console_scripts]\n= x\n", b"[gui_scripts]\nb = x\n"):
            with self.subTest(content):
                self.assertEqual(self.names(content), [])

    def test_a_link_is_not_followed(self):
        os.symlink("/etc/passwd", self.info)
        self.assertEqual(scripts.console_scripts(self.own), [])

    def test_a_name_too_long(self):
        name = "x" * 201
        self.own.append(f"{layout.SCRIPTS}/{name}")
        self.assertEqual(self.names(f"[console_scripts]\n{name} = a:b\n".encode()), [])


class FakeJob:
    def __init__(self, outcomes):
        self.outcomes = iter(outcomes)
        self.observation = self
        self.limits = mock.Mock()
        self.said = mock.Mock(total=0, recent=lambda size: b"")

    def environment(self):
        return {}

    def log(self, _task):
        return self.said

    def clock(self):
        return 0.0

    def run(self, *_arguments):
        outcome, output = next(self.outcomes)
        self.said.total += len(output)
        self.said.recent = lambda size: output
        return outcome


class Judged(unittest.TestCase):
    def judge(self, *outcomes):
        job = FakeJob(outcomes)
        report = Report(job, "scripts")
        rows = [scripts._ask(job, report, f"s{number}", 1.0) for number in range(len(outcomes))]
        scripts._judge(report, [row for row, _ in rows], any(crashed for _, crashed in rows))
        return [row["outcome"] for row, _ in rows], report.stable["status"], report.stable.get("reason"), report.stable.get("signal")

    def test_a_script_need_not_know_help_nor_end(self):
        usage = (Outcome(exit_code=2, reason="exit-code"), b"usage: x\n")
        hangs = (Outcome(signal="SIGKILL", reason="timeout"), b"")
        eats = (Outcome(signal="SIGKILL", reason="out-of-memory"), b"")
        found = self.judge((Outcome(exit_code=0), b"help"), usage, hangs, eats)
        self.assertEqual(found, (["passed", "failed", "timeout", "killed"], "passed", None, None))

    def test_a_crash_is_a_fault(self):
        crash = (Outcome(exit_code=1, reason="exit-code"), b"Traceback (most recent call last):\n  ...\nImportError: x\n")
        self.assertEqual(self.judge(crash), (["failed"], "failed", "exit-code", None))

    def test_a_signal_is_a_fault(self):
        self.assertEqual(self.judge((Outcome(signal="SIGSEGV", reason="signal"), b"")), (["signal"], "failed", "signal", "SIGSEGV"))


if __name__ == "__main__":
    unittest.main()
