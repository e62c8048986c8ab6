"""Tasks `start` and `idle`: an interpreter of the environment that is asked nothing, and what goes on without being asked."""

import layout
import modules
from job import Report

PYTHON = f"{layout.VENV}/bin/python"
#: How long what is left running is watched, in guest seconds.
IDLE_SECONDS = 3.0
#: Loads what it is told; threads that outlive that get time to show what they do.
LOAD = """
import atexit, importlib, os, sys, time
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException:
        pass
if len(os.listdir("/proc/self/task")) > 1:
    time.sleep({seconds})
atexit._run_exitfuncs()
os._exit(0)
"""


def start(job):
    """One bare start: `.pth` files and the like run."""
    return _run(job, "start", [PYTHON, "-c", "pass"], 0.0)


def idle(job):
    """One more start, the top-level modules that could be imported, and some seconds in which nothing is asked."""
    imported = {row["name"] for row in job.done.get("import", {}).get("modules", ()) if row["outcome"] == "passed"}
    names = [name for name in modules.top_level(modules.of_files(job.own_files, layout.SITE)) if name in imported]
    return _run(job, "idle", [PYTHON, "-c", LOAD.format(seconds=IDLE_SECONDS), *names[:20]], IDLE_SECONDS)


def _run(job, task, argv, linger):
    report = Report(job, task)
    if not job.own_files:
        return report.end("not-run", "install-failed")
    job.enter()
    before = job.tree.snapshot()
    outcome = report.ran(job.observation.run(argv, layout.HOME, job.environment(), job.limits, job.log(task), linger))
    report.end("failed" if outcome.reason else "passed", outcome.reason, outcome)
    return report.changed(before, hashed=False)
