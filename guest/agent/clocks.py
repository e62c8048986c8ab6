"""Task `clocks`: imports, and tests when they were quick, once more under later dates; what is otherwise than under today's."""

import time

import imports
import layout
import modules
import tests
from events import Events
from job import Report
from suite import run_suite

TESTS_BELOW_SECONDS = 60.0
LISTED = 5000
DAY_SECONDS = 86_400
#: Tasks whose events are those of today.
TODAY = ("start", "import", "unittest")


def shift_clocks(job):
    report = Report(job, "clocks")
    report.stable["shifts"] = []
    days = sorted(set(job.plan["clockDays"]))
    if not days or job.set_clock is None:
        return report.end("not-run", "not-requested")
    if not job.own_files:
        return report.end("not-run", "install-failed")
    job.enter()
    before = job.tree.snapshot()
    deadline = time.monotonic() + job.limits.seconds
    today = (time.time(), time.monotonic())
    rows = []
    try:
        for ahead in days:
            job.set_clock(_now(today) + ahead * DAY_SECONDS)
            row = _look(job, report, ahead, deadline)
            if row is None:
                return report.end("failed", "timeout")
            rows.append(row)
    finally:
        job.set_clock(_now(today))
        job.observation.redirect(Events())
    report.end("passed", shifts=rows)
    return report.changed(before, hashed=False)


def _now(today):
    wall, started = today
    return wall + time.monotonic() - started


def _look(job, report, ahead, deadline):
    """What differs so many days ahead; None when the time is up."""
    job.observation.redirect(events := Events())
    changed = _modules(job, report)
    failing = _tests(job, report, deadline)
    if changed is None or failing is None or time.monotonic() > deadline:
        return None
    job.observation.settle()
    known = {_key(row) for task in TODAY for row in job.done.get(task, {}).get("events", ())}
    new = [row for row in events.rows()[0] if _key(row) not in known]
    return {"days": ahead, "modules": changed[:LISTED], "tests": failing[:LISTED], "events": new}


def _modules(job, report):
    rows = job.done.get("import", {}).get("modules", ())
    # What met a limit today would only meet it again.
    then = {row["name"]: row for row in rows if row["outcome"] not in ("timeout", "killed")}
    names = [name for name in modules.of_files(job.own_files, layout.SITE)[: modules.LIMIT] if name in then]
    answers, totals = imports.import_all(job, names, job.log("clocks"))
    report.ran(totals)
    if len(answers) < len(names):
        return None
    return [answer["name"] for answer in answers if imports.row(answer) != then[answer["name"]]]


def _tests(job, report, deadline):
    """Names of the tests that end otherwise, twice."""
    tested = job.tested
    if tested is None or tested.seconds > TESTS_BELOW_SECONDS:
        return []
    nodes, differing = None, []
    for _ in range(2):
        run = run_suite(job, report, tested.plan, tested.runner, deadline, only=nodes)
        if run.reason:
            return None
        names = {node: tested.names.get(node) for node in run.outcomes}
        differing = sorted({node for node, name in names.items() if name and _differs(run.outcomes[node], tested.merged[name])})
        if not differing:
            return []
        nodes = differing
    return sorted({tested.names[node] for node in differing})


def _differs(now, then):
    return then != "flaky" and now != then and (now in tests.FAILS) != (then in tests.FAILS)


def _key(row):
    return row["kind"], row["what"], row.get("by"), row.get("at")
