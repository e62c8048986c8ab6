"""Task `scripts`: each console script of the distribution is asked for help."""

import configparser
import os
import time

import install
import layout
import text
from job import Report
from sandboxed import RESOURCE_REASONS, Outcome

SCRIPTS = 200
SCRIPT_SECONDS = 30.0
TEXT_BYTES = 1024 * 1024
CRASHED = b"Traceback (most recent call last):"


def ask_for_help(job):
    report = Report(job, "scripts")
    report.stable.update(scripts=[], scriptsOmitted=0)
    if not job.own_files:
        return report.end("not-run", "install-failed")
    names = console_scripts(job.own_files)
    report.stable["scriptsOmitted"] = max(0, len(names) - SCRIPTS)
    if not names:
        return report.end("not-run", "no-scripts")
    job.enter()
    before = job.tree.snapshot()
    deadline = time.monotonic() + job.limits.seconds
    rows, crashed = [], False
    for name in names[:SCRIPTS]:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return report.end("failed", "timeout")
        row, has_traceback = _ask(job, report, name, min(remaining, SCRIPT_SECONDS))
        rows.append(row)
        crashed = crashed or has_traceback
    report.stable["scripts"] = rows
    _judge(report, rows, crashed)
    return report.changed(before, hashed=False)


def console_scripts(own_files):
    """Names in the distribution's entry points that are installed as scripts, sorted."""
    found, known = set(), frozenset(own_files)
    for path in own_files:
        if path.startswith(layout.SITE + "/") and path.endswith(".dist-info/entry_points.txt"):
            found.update(_names(install.read_regular(path, TEXT_BYTES).decode("utf-8", "replace")))
    return sorted(name for name in found if f"{layout.SCRIPTS}/{name}" in known)


def _names(content):
    """Entry points specification, PyPA."""
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str
    try:
        parser.read_string(content)
    except configparser.Error:
        return []
    names = parser.options("console_scripts") if parser.has_section("console_scripts") else []
    return [name for name in names if name and "/" not in name and text.units(name) <= 200 and text.readable(name) == name]


def _ask(job, report, name, seconds):
    """(row, whether it ended with a Python traceback)."""
    log = job.log("scripts")
    written = log.total
    argv = [f"{layout.SCRIPTS}/{name}", "--help"]
    limits = job.limits.within(seconds)
    outcome = report.ran(job.observation.run(argv, layout.HOME, job.environment(), limits, log))
    said = log.recent(min(16 * 1024, log.total - written)) if log.total > written else b""
    log.note(f"{os.path.basename(name)} --help: {outcome.reason or 'passed'}")
    row = {"name": name, "outcome": "passed"}
    if outcome.reason == "exit-code":
        row.update(outcome="failed", exitCode=outcome.exit_code)
    elif outcome.reason == "signal":
        row.update(outcome="signal", signal=outcome.signal)
    elif outcome.reason == "timeout":
        row["outcome"] = "timeout"
    elif outcome.reason in RESOURCE_REASONS:
        row["outcome"] = "killed"
    return row, row["outcome"] == "failed" and outcome.exit_code == 1 and CRASHED in said


def _judge(report, rows, crashed):
    """A script need not know `--help`, nor end: only a crash is a fault."""
    signalled = next((row["signal"] for row in rows if row["outcome"] == "signal"), None)
    if signalled:
        return report.end("failed", "signal", Outcome(signal=signalled))
    return report.end("failed", "exit-code", Outcome(exit_code=1)) if crashed else report.end("passed")
