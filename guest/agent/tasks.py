"""Runs the tasks of a plan in their order and gives the record the volunteer signs."""

import sys
import time

import account
import build
import clocks
import fitting
import imports
import install
import program_runs
import quality
import scripts
import static_task
import sweep
import tests
import tools
import uninstall
from job import Job
from observation import Observation
from tree import Tree

STEPS = (
    ("build", build.build),
    # Looks at the built wheel, too.
    ("static", static_task.look),
    ("install", install.install),
    ("start", program_runs.start),
    ("import", imports.import_modules),
    ("scripts", scripts.ask_for_help),
    ("unittest", tests.run_tests),
    ("quality", quality.grade),
    ("clocks", clocks.shift_clocks),
    ("idle", program_runs.idle),
    ("uninstall", uninstall.uninstall),
)
#: Later tasks need what they make, but for one that only looks at files.
NEEDED = ("build", "install")
LOOKS_ONLY = "static"
#: The memory of a tool is better used by what comes after its last task.
LAST = {"quality": "lint", "uninstall": "pip"}


def run(plan, files, upper, emit, clock=time.monotonic, set_clock=None):
    """
    `plan` as in src/wire/guest.ts (checked by the sender), `files`: name -> path of a root-owned file, `upper`: the overlay's
    upper directory, `emit(task, state, message)`, `clock()` in seconds, `set_clock(seconds)` sets the machine's date. Returns
    (GuestRecord, log name -> bytes).
    """
    account.prepare()
    observation = Observation(plan)
    tree = Tree(upper, observation.own_paths)
    job = Job(plan=plan, files=files, tree=tree, observation=observation, emit=emit, clock=clock, set_clock=set_clock)
    records = {}
    try:
        for task, step in STEPS:
            # A task not asked for still runs when a later one needs it, but is not told about.
            wanted = task in plan["tasks"]
            if wanted or (task in NEEDED and _is_needed(task, plan)):
                record = _run_one(job, task, step, wanted)
                if wanted:
                    records[task] = record
        observers = observation.observers()
    finally:
        observation.close()
    logs = {name: log.content() for name, log in job.logs.items() if log.total and _task_of(name) in records}
    fitting.fit({task: record["stable"] for task, record in records.items()})
    record = {"schema": "pyti.guest/3", "python": sys.version.split()[0], "observers": observers, "tasks": records}
    return record, logs


def _run_one(job, task, step, wanted):
    if wanted:
        job.emit(task, "start")
    job.observation.begin()
    report = step(job)
    evidence = job.observation.leave(task, report.stable)
    if evidence:
        job.log(f"evidence-{task}").write(evidence)
    job.done[task] = report.stable
    record = report.record()
    if wanted:
        job.emit(task, "end", report.stable["status"])
    sweep.sweep(job, report)
    if task in LAST:
        tools.discard(LAST[task])
    return record


def _task_of(name):
    return name.removeprefix("logs/").removeprefix("evidence-").removeprefix("coverage-").removesuffix(".txt")


def _is_needed(task, plan):
    names = [name for name, _ in STEPS]
    return any(name in plan["tasks"] for name in names[names.index(task) + 1 :] if name != LOOKS_ONLY)
