"""Runs the tasks of a plan in their order and gives the record the volunteer signs."""

import sys
import time

import account
import build
import imports
import install
import quality
import sweep
import tests
import tools
from job import Job
from tree import Tree

STEPS = (
    ("build", build.build),
    ("install", install.install),
    ("import", imports.import_modules),
    ("unittest", tests.run_tests),
    ("quality", quality.grade),
)


def run(plan, files, upper, emit, clock=time.monotonic):
    """
    `plan` as in src/wire/guest.ts (checked by the sender), `files`: name -> path of a root-owned file, `upper`: the overlay's
    upper directory, `emit(task, state, message)`, `clock()` in seconds. Returns (GuestRecord, log name -> bytes).
    """
    account.prepare()
    job = Job(plan=plan, files=files, tree=Tree(upper), emit=emit, clock=clock)
    records = {}
    for task, step in STEPS:
        # A task not asked for still runs when a later one needs it, but is not told about.
        wanted = task in plan["tasks"]
        if not wanted and not (task in ("build", "install") and _needed(task, plan)):
            continue
        if wanted:
            emit(task, "start")
        report = step(job)
        if wanted:
            records[task] = report.record()
            emit(task, "end", report.stable["status"])
        sweep.sweep(job, report)
        if task == "install":
            # The memory is better used by what comes next.
            tools.discard("pip")
    logs = {name: log.content() for name, log in job.logs.items() if log.total and name[5:-4] in records}
    return {"schema": "pyti.guest/1", "python": sys.version.split()[0], "tasks": records}, logs


def _needed(task, plan):
    later = [name for name, _ in STEPS][[name for name, _ in STEPS].index(task) + 1 :]
    return any(name in plan["tasks"] for name in later)
