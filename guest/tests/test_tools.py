"""The fork servers, with a tool of our own and without root: the user and its control group are test_hostile's matter."""

import json
import os
import signal
import sys
import tempfile
import time
import unittest
from unittest import mock

import paths  # noqa: F401

import cgroups
import kernel
import sandboxed
import tools
from bounded_log import BoundedLog

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake_tool_server.py")
NO_GROUP = cgroups.Absent()


class Forked(unittest.TestCase):
    def setUp(self):
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        self.addCleanup(kernel.prctl, kernel.PR_SET_CHILD_SUBREAPER, 0)
        self.more = []
        self.enterContext(mock.patch.object(tools, "command", lambda kind: [sys.executable, SERVER, kind, *self.more]))
        self.addCleanup(tools.discard, "fake")
        self.log = BoundedLog(100_000)

    def run_tool(self, what, seconds=30.0, env=None, cwd="/", want_result=False):
        limits = sandboxed.Limits(seconds, 1 << 40, 4000, 1 << 20)
        run = tools.Run("fake", {"what": what})
        return sandboxed.run(run, cwd, env or {}, limits, self.log, as_user=False, group=NO_GROUP, want_result=want_result)

    def state(self, **options):
        outcome = self.run_tool("state", want_result=True, **options)
        self.assertEqual((outcome.exit_code, outcome.reason), (0, None), self.log.content())
        return json.loads(outcome.result)

    def test_exit_code_and_output(self):
        outcome = self.run_tool("exit")
        self.assertEqual((outcome.exit_code, outcome.signal, outcome.reason), (7, None, "exit-code"))
        self.assertEqual(sorted(self.log.content().split()), [b"err", b"out"])
        self.assertEqual(outcome.output_bytes, 8)

    def test_signal(self):
        outcome = self.run_tool("signal")
        self.assertEqual((outcome.exit_code, outcome.signal, outcome.reason), (None, "SIGSEGV", "signal"))

    def test_exception(self):
        self.assertEqual(self.run_tool("raise").exit_code, 1)
        self.assertIn(b"ValueError: no", self.log.content())

    def test_timeout(self):
        outcome = self.run_tool("hang", seconds=0.2)
        self.assertEqual((outcome.signal, outcome.reason), ("SIGKILL", "timeout"))
        self.assertEqual(self.run_tool("exit").exit_code, 7)

    def test_usage(self):
        self.assertGreaterEqual(self.run_tool("burn").cpu_ms, 50)

    def test_a_run_holds_nothing_but_its_own_descriptors(self):
        # Descriptors of the agent, as its channel would be one.
        with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as two:
            self.assertGreater(one.fileno() + two.fileno(), 3)
            self.assertEqual(self.state()["descriptors"], [0, 1, 2, 3])

    def test_limits_session_environment_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            state = self.state(env={"A": "b"}, cwd=folder)
            self.assertEqual(state["folder"], os.path.realpath(folder))
        self.assertEqual(state["environment"], {"A": "b"})
        self.assertEqual(state["limits"], [[4000, 4000], [0, 0], [1024, 1024]])
        self.assertTrue(state["session"])
        self.assertEqual((state["blocked"], state["agent"], state["oom"]), ([], [], 1000))

    def test_no_run_leaves_anything_in_the_server(self):
        self.assertEqual([self.state()["calls"] for _ in range(3)], [1, 1, 1])

    def test_one_server_for_all_runs(self):
        self.run_tool("exit")
        first = tools.server("fake").pid
        self.run_tool("signal")
        self.assertEqual(tools.server("fake").pid, first)

    def test_a_lost_server_is_replaced_and_told_about(self):
        self.run_tool("exit")
        os.kill(tools.server("fake").pid, signal.SIGKILL)
        self.assertEqual(self.run_tool("exit").exit_code, 7)
        self.assertIn(b"[pyti] the fake server had to be started again", self.log.content())

    def test_a_server_lost_during_a_run_loses_nothing_of_it(self):
        self.assertEqual(self.run_tool("kill server").exit_code, 5)
        self.assertEqual(self.run_tool("exit").exit_code, 7)

    def test_a_server_that_does_not_start_is_an_error(self):
        self.more = ["dies"]
        with self.assertRaises(tools.ServerLost):
            self.run_tool("exit")

    def test_descriptors_do_not_pile_up(self):
        self.run_tool("exit")
        before = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), tools.server("fake").pid)]
        for _ in range(5):
            self.run_tool("exit")
        self.assertEqual([len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), tools.server("fake").pid)], before)

    def test_the_server_ends_with_the_agent(self):
        pid = tools.server("fake").pid
        tools._servers.pop("fake").socket.close()
        deadline = time.monotonic() + 30
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            self.assertLess(time.monotonic(), deadline)


class Programs(unittest.TestCase):
    """The server whose forks become programs, with its tracer where there is one."""

    def setUp(self):
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        self.addCleanup(kernel.prctl, kernel.PR_SET_CHILD_SUBREAPER, 0)
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.object(tools, "TRACES", f"{self.folder}/traces"))
        self.enterContext(mock.patch.object(tools, "_untraceable", set()))
        self.addCleanup(tools.discard, "program")

    def run_program(self, *argv):
        limits = sandboxed.Limits(30.0, 1 << 40, 4000, 1 << 20)
        log = BoundedLog(10_000)
        run = tools.Run("program", {"argv": list(argv)})
        outcome = sandboxed.run(run, "/", {"WORD": "said"}, limits, log, as_user=False, group=NO_GROUP)
        return outcome, log.content()

    def test_ends_as_programs_do(self):
        outcome, said = self.run_program("/bin/sh", "-c", "echo $WORD; exit 3")
        self.assertEqual((outcome.exit_code, said), (3, b"said\n"))
        self.assertEqual(self.run_program("/bin/sh", "-c", "kill -SEGV $$")[0].signal, "SIGSEGV")
        self.assertEqual(self.run_program("/nonexistent")[0].exit_code, 127)

    def test_arguments_that_are_too_long_are_a_program_that_does_not_start(self):
        outcome, said = self.run_program("/bin/echo", "x" * tools.REQUEST_BYTES)
        self.assertEqual((outcome.exit_code, outcome.reason), (127, "exit-code"))
        self.assertIn(b"is too long", said)
        self.assertEqual(self.run_program("/bin/sh", "-c", "echo $WORD")[1], b"said\n")

    def test_a_broken_pipe_ends_a_program(self):
        self.assertEqual(self.run_program("/bin/sh", "-c", "yes | head -c 1 >/dev/null; exit 5")[0].exit_code, 5)
        self.assertEqual(self.run_program("/bin/sh", "-c", "trap")[1], b"")

    def test_without_a_tracer(self):
        with mock.patch.object(tools.tracer, "STRACE", "/bin/false"):
            self.assertEqual(self.run_program("/bin/true")[0].reason, None)
            self.assertIsNone(tools.server("program").trace)
            self.assertFalse(tools.is_traced())

    @unittest.skipUnless(os.geteuid() == 0 and tools.tracer.is_available(), "needs root and strace")
    def test_the_trace_has_all_that_happened(self):
        self.run_program("/bin/ls", "/")
        server = tools.server("program")
        server.sync()
        self.assertIn(b'execve("/bin/ls"', server.trace.read())
        self.assertEqual(os.stat(f"{self.folder}/traces").st_mode & 0o777, 0o700)


class Functions(unittest.TestCase):
    """The other two kinds of work end in the same outcomes."""

    def run_work(self, work, seconds=30.0, **options):
        self.addCleanup(kernel.prctl, kernel.PR_SET_CHILD_SUBREAPER, 0)
        limits = sandboxed.Limits(seconds, 1 << 40, 4000, 1 << 20)
        return sandboxed.run(work, "/", {}, limits, BoundedLog(1000), as_user=False, group=NO_GROUP, **options)

    def test_function(self):
        self.assertEqual(self.run_work(lambda: b"answer", want_result=True).result, b"answer")
        self.assertEqual(self.run_work(lambda: 1 / 0).exit_code, 1)

    def test_a_result_that_was_cut_is_none(self):
        # Whether the pump sees the end or the limit first is chance.
        ended = sandboxed.Outcome(exit_code=0)
        self.assertEqual(sandboxed._reason(ended, (0, 0), False, "output-limit", b"", NO_GROUP), "output-limit")
        self.assertIsNone(sandboxed._reason(ended, (0, 0), False, "timeout", b"", NO_GROUP))

    def test_program(self):
        self.assertEqual(self.run_work(["/bin/sh", "-c", "exit 3"]).exit_code, 3)
        self.assertEqual(self.run_work(["/nonexistent"]).exit_code, 127)
        self.assertEqual(self.run_work(["/bin/sleep", "1000"], seconds=0.2).reason, "timeout")


if __name__ == "__main__":
    unittest.main()
