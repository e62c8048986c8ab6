"""Task `quality`: the image's linters over the distribution's own Python files, with our configuration only."""

import json
import re
import time

import environment_variables
import install
import layout
import sandboxed
import text
import tools
from job import Report

LINTERS = ("pylint", "pycodestyle", "pyflakes")
MESSAGES = 2000
COUNTS = 1000
PYLINT_FILES = 400
PYLINT_LINES = 40_000
SOURCE_BYTES = 16 * 1024 * 1024


def grade(job):
    report = Report(job, "quality")
    report.stable.update(tools=[], linesOfCode=0)
    if not job.own_files:
        return report.end("not-run", "install-failed")
    files = _sources(job)
    if not files:
        return report.end("not-run", "no-modules")
    report.stable["linesOfCode"] = sum(lines for _, lines in files)
    before = job.tree.snapshot()
    deadline = time.monotonic() + job.limits.seconds
    rows = {}
    for tool in reversed(LINTERS):
        chosen = _some(files, job.log("quality")) if tool == "pylint" else [name for name, _ in files]
        rows[tool], outcome = _run(job, tool, chosen, deadline)
        report.ran(outcome)
        if outcome.reason and "reason" not in report.stable:
            report.end("failed", outcome.reason, outcome)
    report.stable["tools"] = [rows[tool] for tool in LINTERS]
    if "reason" not in report.stable:
        report.end("passed")
    return report.changed(before, hashed=False)


def _sources(job):
    """(path below site-packages, lines) of the distribution's own Python files, sorted."""
    found = []
    for path in job.own_files:
        if path.startswith(layout.SITE + "/") and path.endswith(".py") and ".dist-info/" not in path and install.is_plain(path):
            name = path[len(layout.SITE) + 1 :]
            if text.readable(name) == name and "\n" not in name:
                found.append((name, install.read_regular(path, SOURCE_BYTES).count(b"\n")))
    return found


def _some(files, log):
    chosen, lines = [], 0
    for name, count in files[:PYLINT_FILES]:
        lines += count
        if lines > PYLINT_LINES:
            break
        chosen.append(name)
    if len(chosen) < len(files):
        log.note(f"pylint: {len(files) - len(chosen)} of {len(files)} files left out")
    return chosen


def _run(job, tool, files, deadline):
    log = job.log("quality")
    path = f"{layout.LINT}/{tool}.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"tool": tool, "site": layout.SITE, "files": files, "most": MESSAGES}, file)
    limits = job.limits.within(deadline - time.monotonic())
    outcome = sandboxed.run(
        tools.Run("lint", {"config_path": path}), layout.HOME, environment_variables.of_tools(), limits, log, want_result=True
    )
    row = {"tool": tool, "version": "unknown", "status": "completed", "counts": {}, "messages": [], "messagesOmitted": 0}
    if outcome.reason:
        row["status"] = "timeout" if outcome.reason == "timeout" else "failed"
        return row, outcome
    said = json.loads(outcome.result)
    row["version"] = text.clip(str(said["version"]), 100)
    if said["statements"]:
        # With the counts, what pylint's score is worked out from.
        row["statements"] = int(said["statements"][0])
    codes = [code for code in sorted(said["counts"]) if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,99}", code)]
    row["counts"] = {code: said["counts"][code] for code in codes[:COUNTS]}
    row["messages"] = [[text.clip(code, 100), text.clip(name, 4096), line, column] for code, name, line, column in said["messages"]]
    row["messagesOmitted"] = said["messagesOmitted"]
    return row, outcome
