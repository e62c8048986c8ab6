"""What all tasks of one job share: the plan, the files, the limits, the logs."""

import time
from dataclasses import dataclass, field

import audit_reader
import environment_variables
import layout
import text
from bounded_log import BoundedLog
from sandboxed import RESOURCE_REASONS, Limits
from tree import Tree


@dataclass
class Job:
    plan: dict
    files: dict
    tree: Tree
    #: See `observation`.
    observation: object
    emit: object
    clock: object = time.monotonic
    #: Sets the machine's clock to seconds since 1970; None where that is not ours to do.
    set_clock: object = None
    logs: dict = field(default_factory=dict)
    #: The wheel to install: the subject or the built one.
    wheel: str | None = None
    #: Guest paths of the subject's installed files.
    own_files: list = field(default_factory=list)
    #: Task -> stable half, of the tasks that are over.
    done: dict = field(default_factory=dict)
    #: How the tests were run, when they were (`tests.Tested`).
    tested: object = None

    @property
    def subject(self):
        return self.plan["subject"]

    @property
    def limits(self):
        given = self.plan["limits"]
        return Limits(given["taskSeconds"], given["memoryMiB"] * 1024 * 1024, given["processes"], given["outputBytes"])

    def environment(self, venv=layout.VENV):
        """The whole environment of package code."""
        return {**environment_variables.of_package(self.plan["hashSeed"], venv), **self.observation.environment}

    def enter(self):
        """Before the first interpreter start of a task in the distribution's environment, and before the snapshot."""
        self.observation.enter(layout.SITE, *audit_reader.own_places(self.own_files, layout.SITE))

    def log(self, task):
        return self.logs.setdefault(f"logs/{task}.txt", BoundedLog(self.plan["limits"]["logBytes"]))

    def wheels(self, *groups):
        """Paths of the groups' wheels, each once, sorted by name."""
        names = {name for group in groups for name in self.plan["packages"][group]}
        return [self.files[name] for name in sorted(names) if name in self.files]

    def is_incomplete(self, *groups):
        return any(group in self.plan["incomplete"] for group in groups)


class Report:
    """Collects one task's record: the half that is voted on and the half that is not."""

    def __init__(self, job, task):
        self.job, self.task = job, task
        self.started = job.clock()
        self.runs = []
        #: Besides what every task has.
        self.volatile = {}
        self.stable = {"changes": [], "changesOmitted": 0, "events": [], "eventsOmitted": 0}

    def ran(self, outcome):
        self.runs.append(outcome)
        return outcome

    def end(self, status, reason=None, outcome=None, **more):
        """Sets the outcome. `outcome`: where an exit code or a signal comes from."""
        self.stable["status"] = status
        if reason:
            self.stable["reason"] = reason
        if reason == "exit-code" and outcome is not None and outcome.exit_code is not None:
            self.stable["exitCode"] = outcome.exit_code
        if reason == "signal" and outcome is not None and outcome.signal:
            self.stable["signal"] = outcome.signal
        self.stable.update(more)
        return self

    def changed(self, before, hashed, ignore=frozenset()):
        """Adds the file system's changes; none after a resource limit, when they depend on the moment."""
        if self.stable.get("reason") in RESOURCE_REASONS:
            return self
        tree = self.job.tree
        self.stable["changes"], self.stable["changesOmitted"] = tree.changes(before, tree.snapshot(), hashed, ignore)
        return self

    def record(self):
        runs = self.runs
        volatile = {
            "milliseconds": max(0, int((self.job.clock() - self.started) * 1000)),
            "cpuMilliseconds": sum(run.cpu_ms for run in runs),
            "peakMemoryBytes": max((run.peak_bytes for run in runs), default=0),
            "leftoverProcesses": sum(run.leftover for run in runs),
            "outputBytes": sum(run.output_bytes for run in runs),
            **self.volatile,
        }
        log = self.job.logs.get(f"logs/{self.task}.txt")
        if log is not None and log.total:
            volatile["log"] = f"logs/{self.task}.txt"
            if self.stable["status"] != "passed":
                volatile.setdefault("excerpt", text.excerpt(log.recent()))
        return {"stable": self.stable, "volatile": volatile}
