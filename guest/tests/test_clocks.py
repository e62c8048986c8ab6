import time
import unittest
from unittest import mock

import paths  # noqa: F401
import clocks
from events import Events
from suite import Suite
from tests import Tested

DAY = clocks.DAY_SECONDS


class FakeObservation:
    def __init__(self):
        self.events = Events()
        self.environment = {}

    def redirect(self, events):
        self.events = events

    def settle(self):
        pass

    def enter(self, *_arguments):
        pass


class FakeJob:
    def __init__(self, days, done, own=("/x",)):
        self.plan = {"clockDays": days}
        self.done, self.own_files, self.tested = done, list(own), None
        self.observation = FakeObservation()
        self.limits = mock.Mock(seconds=60.0)
        self.set = []
        self.tree = mock.Mock(**{"snapshot.return_value": {}, "changes.return_value": ([], 0)})

    def set_clock(self, seconds):
        self.set.append(round((seconds - time.time()) / DAY))

    def clock(self):
        return 0.0

    def enter(self):
        pass

    def log(self, _task):
        return mock.Mock(total=0)


class Shifted(unittest.TestCase):
    def run_clocks(self, job, answers, suites=()):
        imported = lambda job, names, log: ([{**answers(job, name), "name": name} for name in names], mock.Mock())
        with mock.patch.object(clocks.imports, "import_all", imported):
            with mock.patch.object(clocks.modules, "of_files", lambda *_: ["a", "b", "late"]):
                with mock.patch.object(clocks, "run_suite", mock.Mock(side_effect=suites)):
                    return clocks.shift_clocks(job).stable

    def job(self, days=(400, 30)):
        return FakeJob(list(days), {"import": {"modules": [{"name": "a", "outcome": "passed"}, {"name": "b", "outcome": "passed"}], "events": [{"kind": "exec", "what": "ls", "times": "once"}]}})

    def test_what_differs_and_the_date_afterwards(self):
        def answer(job, name):
            job.observation.events.add("exec", "ls")
            if job.set[-1] == 400 and name == "b":
                job.observation.events.add("name", "A late.test")
                return {"outcome": "error", "error": "ValueError"}
            return {"outcome": "passed"}

        job = self.job()
        stable = self.run_clocks(job, answer)
        late = {"kind": "name", "what": "A late.test", "times": "once"}
        self.assertEqual(stable["shifts"], [
            {"days": 30, "modules": [], "tests": [], "events": []}, {"days": 400, "modules": ["b"], "tests": [], "events": [late]},
        ])  # fmt: skip
        self.assertEqual((stable["status"], job.set), ("passed", [30, 400, 0]))
        self.assertEqual(job.observation.events.rows()[0], [])

    def test_the_date_is_set_back_when_something_breaks(self):
        job = self.job()
        with self.assertRaises(ZeroDivisionError):
            self.run_clocks(job, lambda job, name: 1 / 0)
        self.assertEqual(job.set, [30, 0])

    def test_tests_that_end_otherwise_twice(self):
        job = self.job(days=[30])
        names = {"t::a[1]": "t::a", "t::b": "t::b", "t::c": "t::c"}
        job.tested = Tested({}, "pytest", names, {"t::a": "passed", "t::b": "passed", "t::c": "flaky"}, 1.0)
        runs = [Suite(outcomes={"t::a[1]": "failed", "t::b": "failed", "t::c": "failed", "t::new": "failed"}), Suite(outcomes={"t::a[1]": "failed", "t::b": "passed"})]
        stable = self.run_clocks(job, lambda job, name: {"outcome": "passed"}, runs)
        self.assertEqual(stable["shifts"][0]["tests"], ["t::a"])

    def test_slow_tests_are_not_run_again(self):
        job = self.job(days=[30])
        job.tested = Tested({}, "pytest", {}, {}, clocks.TESTS_BELOW_SECONDS + 1)
        self.assertEqual(self.run_clocks(job, lambda job, name: {"outcome": "passed"})["status"], "passed")

    def test_a_limit_met(self):
        job = self.job(days=[30])
        job.tested = Tested({}, "pytest", {}, {}, 1.0)
        stable = self.run_clocks(job, lambda job, name: {"outcome": "passed"}, [Suite(reason="timeout")])
        self.assertEqual((stable["status"], stable["reason"], stable["shifts"], job.set), ("failed", "timeout", [], [30, 0]))

    def test_nothing_to_do(self):
        for job, reason in ((self.job(days=[]), "not-requested"), (FakeJob([1], {}, own=()), "install-failed")):
            stable = self.run_clocks(job, lambda job, name: {"outcome": "passed"})
            self.assertEqual((stable["status"], stable["reason"], job.set), ("not-run", reason, []))


if __name__ == "__main__":
    unittest.main()
