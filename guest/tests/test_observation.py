"""How the ways of watching are put together; each of them has tests of its own."""

import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

import paths  # noqa: F401
import audit_reader
import cgroups
import kernel
import layout
import observation
import sandboxed
import tools
from bounded_log import BoundedLog

PLAN = {"seed": "00112233445566778899aabbccddeeff", "network": "dead"}


class Observing(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        self.addCleanup(kernel.prctl, kernel.PR_SET_CHILD_SUBREAPER, 0)
        self.enterContext(mock.patch.object(layout, "HOME", self.folder))
        self.enterContext(mock.patch.object(observation, "UID", os.getuid()))
        self.enterContext(mock.patch.object(observation, "GID", os.getgid()))
        self.enterContext(mock.patch.object(layout, "TOOLS", self.folder))
        self.enterContext(mock.patch.object(tools, "TRACES", f"{self.folder}/traces"))
        pipe = f"{self.folder}/pipe"
        self.enterContext(mock.patch.object(audit_reader, "AuditReader", lambda reader=audit_reader.AuditReader: reader(pipe)))
        self.said = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.addCleanup(tools.discard, "program")

    def observe(self, **plan):
        observed = observation.Observation({**PLAN, **plan})
        self.addCleanup(observed.close)
        observed.begin()
        return observed

    def leave(self, observed, task="import", **stable):
        evidence = observed.leave(task, stable)
        return [(row["kind"], row["what"]) for row in stable["events"]], evidence

    def run_program(self, observed, script):
        limits = sandboxed.Limits(30.0, 1 << 40, 4000, 1 << 20)
        return observed.run(
            ["/bin/sh", "-c", script], "/", {"PATH": "/usr/bin:/bin"}, limits, BoundedLog(10_000), as_user=False, group=cgroups.Absent()
        )

    def test_baits_are_planted_and_seen_to_be_read(self):
        observed = self.observe()
        self.assertIn("PYPI_TOKEN", observed.environment)
        self.assertIn("baits", observed.observers())
        with open(f"{self.folder}/.ssh/id_ed25519") as file:
            self.assertIn("OPENSSH", file.read())
        self.assertEqual(self.leave(observed)[0], [("bait-read", "ssh-key")])
        observed.begin()
        self.assertEqual(self.leave(observed)[0], [])

    def test_a_read_with_its_place_is_not_told_twice(self):
        observed = self.observe()
        observed.events.add("bait-read", "ssh-key", at="{site}/a.py:1")
        for name in (".ssh/id_ed25519", ".netrc"):
            with open(f"{self.folder}/{name}"):
                pass
        self.assertEqual(self.leave(observed)[0], [("bait-read", "netrc"), ("bait-read", "ssh-key")])

    def test_what_fails_is_missing_among_the_observers_and_nothing_else(self):
        with mock.patch.object(observation.baits, "plant", side_effect=OSError("full")):
            observed = self.observe()
        names = observed.observers()
        self.assertEqual([name for name in ("changes", "audit", "baits", "sinkhole") if name in names], ["changes", "audit"])
        self.assertIn("full", self.said.getvalue())
        self.assertEqual(observed.environment, {})
        self.assertEqual(self.leave(observed)[0], [])

    def test_a_sinkhole_that_does_not_start(self):
        with mock.patch.object(observation.Sinkhole, "start", side_effect=RuntimeError("no network")):
            observed = self.observe(network="sinkhole")
        self.assertNotIn("sinkhole", observed.observers())
        self.assertIn("baits", observed.observers())

    def test_a_sinkhole_that_ends(self):
        class Gone:
            pid, env, resolv_conf = 0, {"SSL_CERT_FILE": "/ca"}, "nameserver 10.0.2.3\n"

            def collect(self):
                return {"events": [{"kind": "sinkhole-lost", "to": "", "count": "once"}], "evidence": [], "omitted": 0}

            def stop(self):
                pass

        with mock.patch.object(observation.Sinkhole, "start", return_value=Gone()):
            with mock.patch.object(observation, "RESOLVERS", f"{self.folder}/resolv.conf"):
                observed = self.observe(network="sinkhole")
        self.assertEqual(observed.environment["SSL_CERT_FILE"], "/ca")
        self.assertIn("sinkhole", observed.observers())
        self.leave(observed)
        self.assertNotIn("sinkhole", observed.observers())

    def test_the_marker(self):
        observed = self.observe()
        with mock.patch.object(observation.sinkhole_payloads, "MARK_FILE", f"{self.folder}/mark"):
            self.assertEqual(self.leave(observed)[0], [])
            with open(f"{self.folder}/mark", "w"):
                pass
            observed.begin()
            self.assertEqual(self.leave(observed)[0], [("marker-run", "pyti-marker")])

    def test_after_a_limit_only_what_does_not_depend_on_the_moment(self):
        observed = self.observe()
        for task, kept in (("unittest", ["connect"]), ("import", ["connect", "exec"])):
            observed.begin()
            observed.events.add("exec", "ls")
            observed.events.add("connect", "tcp 192.0.2.1:1")
            self.assertEqual([kind for kind, _ in self.leave(observed, task, reason="timeout")[0]], kept)

    def test_events_elsewhere_for_a_while(self):
        observed = self.observe()
        observed.events.add("exec", "first")
        observed.redirect(aside := observation.Events())
        observed.events.add("exec", "aside")
        with open(f"{self.folder}/.netrc"):
            pass
        observed.settle()
        self.assertEqual([row["what"] for row in aside.rows()[0]], ["netrc", "aside"])

    @unittest.skipUnless(os.geteuid() == 0 and tools.is_traced(), "needs root and strace")
    def test_programs_are_traced(self):
        observed = self.observe()
        outcome = self.run_program(observed, "ls / >/dev/null; exit 3")
        self.assertEqual((outcome.exit_code, outcome.reason), (3, "exit-code"))
        self.assertEqual(self.leave(observed)[0], [("exec", "ls /")])
        self.assertIn("syscalls", observed.observers())

    @unittest.skipUnless(os.geteuid() == 0 and tools.is_traced(), "needs root and strace")
    def test_a_tracer_that_is_gone_is_replaced(self):
        observed = self.observe()
        self.run_program(observed, "true")
        os.kill(tools.server("program").tracer, 9)
        while observation.tracer.tracer_of(tools.server("program").pid):
            pass
        observed.begin()
        self.run_program(observed, "ls / >/dev/null")
        self.assertEqual(self.leave(observed)[0], [("exec", "ls /")])


if __name__ == "__main__":
    unittest.main()
