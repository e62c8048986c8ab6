import os
import subprocess
import tempfile
import time
import types
import unittest

import paths  # noqa: F401
import tasks
from events import Events
from observed_run import ObservedRun, cpu_ticks


class LeftRunning(unittest.TestCase):
    """A folder that looks like a control group stands for one."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.group = types.SimpleNamespace(path=self.folder)
        self.events = Events()

    def members(self, *processes):
        with open(f"{self.folder}/cgroup.procs", "w") as file:
            file.writelines(f"{process.pid}\n" for process in processes)

    def spawn(self, *argv):
        process = subprocess.Popen(argv)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def end(self, own=0, **options):
        run = ObservedRun(self.events, None, None, None, **options)
        run.started(own)
        run.ending(self.group)
        return [(row["kind"], row["what"]) for row in self.events.rows()[0]]

    def test_nothing_left_costs_nothing(self):
        own = self.spawn("sleep", "1000")
        self.members(own)
        started = time.monotonic()
        self.assertEqual(self.end(own.pid, linger=1000.0), [])
        self.assertLess(time.monotonic() - started, 30)

    def test_a_waiting_daemon_and_a_busy_one(self):
        self.members(self.spawn("sleep", "1000"), self.spawn("sh", "-c", "while :; do :; done"))
        self.assertEqual(self.end(), [("left-running", "sh -c 'while :; do :; done' [busy]"), ("left-running", "sleep 1000")])

    def test_what_ends_by_itself_is_no_daemon(self):
        self.members(self.spawn("sleep", "0.05"))
        self.assertEqual(self.end(), [])

    def test_a_longer_look(self):
        self.members(self.spawn("sleep", "1.5"))
        self.assertEqual(self.end(linger=20.0), [])

    def test_without_control_groups(self):
        self.group.path = None
        self.assertEqual(self.end(), [])

    def test_processor_time(self):
        self.assertEqual(cpu_ticks(2**22 + 1), 0)
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
        self.assertGreater(cpu_ticks(os.getpid()), 0)


class Plan(unittest.TestCase):
    def test_what_a_task_needs_runs_before_it(self):
        for task, wanted, needed in (
            ("build", ["import"], True),
            ("install", ["uninstall"], True),
            ("install", ["build"], False),
            ("build", ["static"], False),
            ("build", [], False),
        ):
            with self.subTest((task, wanted)):
                self.assertEqual(tasks._is_needed(task, {"tasks": wanted}), needed)

    def test_the_task_of_a_log(self):
        self.assertEqual([tasks._task_of(name) for name in ("logs/import.txt", "logs/evidence-import.txt")], ["import", "import"])


if __name__ == "__main__":
    unittest.main()
