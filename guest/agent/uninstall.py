"""Task `uninstall`: pip takes the distribution away again; what is left of it."""

import os

import failures
import install
import layout
import text
import tools
from job import Report

LEFT = 5000
OPTIONS = ["--yes", "--disable-pip-version-check", "--no-input", "--no-color"]


def uninstall(job):
    report = Report(job, "uninstall")
    report.stable["left"] = []
    if not job.own_files:
        return report.end("not-run", "install-failed")
    before = job.tree.snapshot()
    pip = tools.Run("pip", {"venv": layout.VENV, "arguments": ["uninstall", *OPTIONS, job.subject["project"]]})
    env = failures.pip_environment(job.environment())
    outcome = report.ran(job.observation.run(pip, layout.HOME, env, job.limits, job.log("uninstall")))
    report.end("failed" if outcome.reason else "passed", outcome.reason, outcome)
    left = [path for path in job.own_files if os.path.lexists(path)]
    report.stable["left"] = sorted({text.clip(text.template_path(text.readable(path)), 4096) for path in left})[:LEFT]
    # That its own files go is the task itself.
    return report.changed(before, hashed=False, ignore=install.with_parents(job.own_files))
