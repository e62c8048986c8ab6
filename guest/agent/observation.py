"""
All that watches the package of one job: what it changes, does, reads and says. Each way of watching may fail by itself; then the
job goes on without it, and the record does not name it among its observers.
"""

import os
import sys
import traceback

import audit_reader
import baits
import layout
import sandboxed
import sinkhole_events
import sinkhole_payloads
import tools
import tracer
from bait_watch import BaitWatch
from child import GID, UID
from events import Events
from observed_run import ObservedRun
from sandboxed import RESOURCE_REASONS
from sinkhole import Sinkhole

RESOLVERS = "/etc/resolv.conf"
PRIVATE = f"{layout.AGENT_PRIVATE}/sinkhole"
HOOK = "settled"
#: Of a run that a limit cut short, how much of these was seen depends on the moment; the others are worth a quarrel.
BY_THE_MOMENT = frozenset({"exec", "code", "native", "marshal", "hook", "kill", "listen", "identity-read"})
#: Their runs are long and do a lot; in the others a limit met is a rare thing.
LONG = frozenset({"unittest", "scripts", "clocks"})
ORDER = ("changes", "syscalls", "audit", "baits", "sinkhole")


class Observation:
    """`plan`: the job's. The home must be there, and nothing of the package may have run."""

    def __init__(self, plan):
        self.events = Events()
        self.environment = {}
        #: Files of ours inside the package's environment: no change the package made.
        self.own_paths = set()
        self._failed = set()
        self._watch = self._sinkhole = self._audit = None
        self._bait_paths, self._evidence = {}, []
        seed = bytes.fromhex(plan["seed"])
        self._attempt("baits", self._plant, seed)
        if plan["network"] == "sinkhole":
            self._attempt("sinkhole", self._dig, seed)
        else:
            self._failed.add("sinkhole")
        self._attempt("audit", self._listen)
        agents = [os.getpid(), os.getppid(), *([self._sinkhole.pid] if self._sinkhole else [])]
        self._agents = tuple(agents)
        self._traced = tracer.Watch(self.events, agents, tracer.resolvers())

    def observers(self):
        """Names of the ways of watching that worked all the time, in the order of src/wire."""
        failed = self._failed if tools.is_traced() else self._failed | {"syscalls"}
        return [name for name in ORDER if name not in failed]

    def begin(self):
        """Before a task."""
        self.events = self._traced.events = Events()
        self._traced.was_cut = False
        self._evidence = []
        if self._audit is not None:
            self._audit.begin(self.events, lambda path: False)

    def enter(self, site, own, files=(), build=False):
        """
        Before the first process of an environment in a task, once the environment is there and before the snapshot.
        `site`: its site-packages; `own`, `files`: folders and files of the package.
        """
        # A build makes files executable all the time.
        self._traced.executables = not build
        if self._audit is not None:
            self._attempt("audit", self._place_hook, site, own, files, build)

    def run(self, work, cwd, env, limits, log, linger=0.0, **options):
        """`sandboxed.run` of package code, watched."""
        if isinstance(work, list) and tools.is_traced():
            work = tools.Run("program", {"argv": work})
        traced = None
        if isinstance(work, tools.Run) and work.kind in tools.TRACED:
            traced = self._traced_server(work)
        observed = ObservedRun(self.events, self._audit, traced and traced.trace, self._traced, linger)
        if traced:
            self._traced.begin(traced.trace)
        outcome = sandboxed.run(work, cwd, env, limits, log, observer=observed, **options)
        if traced:
            self._attempt("syscalls", self._read_trace, traced, observed.pid, work.kind)
        return outcome

    def settle(self):
        """What was seen so far is in the current set afterwards."""
        if self._audit is not None:
            self._audit.feed()
        if self._sinkhole is not None:
            report = self._sinkhole.collect()
            self._evidence.append(sinkhole_events.evidence_text(report))
            if not sinkhole_events.add_to(self.events, report):
                self._failed.add("sinkhole")
        if os.path.lexists(sinkhole_payloads.MARK_FILE):
            self.events.add("marker-run", sinkhole_payloads.MARK)
        self._note_baits()

    def redirect(self, events):
        """From now on what is seen goes to another set, until the task's end."""
        self.settle()
        self.events = self._traced.events = events
        if self._audit is not None:
            self._audit.events = events

    def leave(self, task, stable):
        """After a task and before the temporary folders are emptied: completes its stable half; the evidence as bytes."""
        if self._audit is not None:
            self._audit.end()
            self._evidence.append(audit_reader.evidence_text(self._audit.evidence))
        self.settle()
        rows, omitted = self.events.rows()
        if task in LONG and stable.get("reason") in RESOURCE_REASONS:
            rows = [row for row in rows if row["kind"] not in BY_THE_MOMENT]
        stable.update(events=rows, eventsOmitted=omitted + self._traced.was_cut)
        return b"".join(self._evidence)

    def close(self):
        for part in (self._sinkhole and self._sinkhole.stop, self._audit and self._audit.close, self._watch and self._watch.close):
            if part:
                part()

    def _attempt(self, name, function, *arguments):
        try:
            function(*arguments)
        except Exception:
            self._failed.add(name)
            sys.stderr.write(f"pyti: {name}: {traceback.format_exc()[-2000:]}")

    def _plant(self, seed):
        planted = baits.plant(seed, layout.HOME, UID, GID)
        self.environment.update(baits.environment(seed))
        self._bait_paths = baits.bait_paths(planted, layout.HOME)
        self._watch = BaitWatch(self._bait_paths)

    def _dig(self, seed):
        self._sinkhole = Sinkhole.start(baits.make(seed)[0], PRIVATE)
        self.environment.update(self._sinkhole.env)
        if os.path.lexists(RESOLVERS):
            os.unlink(RESOLVERS)
        with open(RESOLVERS, "x", encoding="ascii") as file:
            file.write(self._sinkhole.resolv_conf)

    def _listen(self):
        self._audit = audit_reader.AuditReader()

    def _place_hook(self, site, own, files, build):
        agent = os.path.dirname(os.path.abspath(__file__))
        foreign = [layout.SITE, f"{layout.BUILD_VENV}/{layout.LIBRARY}", layout.TOOLS, layout.SYSTEM_PACKAGES, agent]
        config = audit_reader.configuration(own, files, foreign, self._bait_paths, build=build)
        _, start = audit_reader.place(layout.TOOLS, HOOK, site, config)
        self.own_paths.add(start)
        own, files, others = tuple(config["own"]), frozenset(files), (*config["foreign"], *config["library"])
        self._audit.begin(self.events, lambda path: path in files or path.startswith(own) or not path.startswith(others))

    def _traced_server(self, work):
        server = tools.server(work.kind, work.hash_seed)
        if server.trace is not None and tracer.tracer_of(server.pid) != server.tracer:
            tools.discard(work.kind)
            server = tools.server(work.kind, work.hash_seed)
        return server if server.trace is not None else None

    def _read_trace(self, server, pid, kind):
        self._traced.agents = (*self._agents, server.tracer)
        self._traced.end(server.trace, pid, kind, kind == "program", server.pid, server.sync)

    def _note_baits(self):
        """A read that the audit hook has told with its place is not told once more without."""
        if self._watch is not None:
            known = {row["what"] for row in self.events.rows()[0] if row["kind"] == "bait-read"}
            for name in self._watch.take():
                if name not in known:
                    self.events.add("bait-read", name)
