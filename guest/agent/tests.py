"""Task `unittest`: the project's own tests against the installed distribution."""

import json
import os
import time
from dataclasses import dataclass

import discovery
import environment
import events
import failures
import layout
import modules
import own_lines
import sandboxed
import text
from job import Report
from suite import run_suite

FAILS = frozenset({"failed", "error", "needs-network"})
WORST_FIRST = ("error", "failed", "needs-network", "xpassed", "xfailed", "skipped", "passed")
#: A suite is only repeated when that leaves enough of the time limit, and costs little.
REPEAT_BELOW = 0.25
REPEAT_SECONDS = 30.0
#: A trace function makes tests up to ten times slower: a suite is measured apart only when it surely comes to its end.
APART_BELOW_SECONDS = 5.0
APART_SECONDS = 120.0
TESTS_TEXT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Tested:
    """How the tests were run and what came of it: node id -> stable name, stable name -> outcome."""

    plan: dict
    runner: str
    names: dict
    merged: dict
    seconds: float


def run_tests(job):
    report = Report(job, "unittest")
    report.stable.update(tests={}, testsOmitted=0)
    if not job.own_files:
        return report.end("not-run", "install-failed")
    deadline = time.monotonic() + job.limits.seconds
    tops = sorted({name.split(".")[0] for name in modules.of_files(job.own_files, layout.SITE)})
    plan, failed = _discover(job, report, tops)
    if failed:
        return failed
    if plan["found"] != "tests":
        return report.end(*(("unsupported", "unknown-test-runner") if plan["found"] == "unknown" else ("not-run", "no-tests")))
    runner, failed = _provide_runner(job, report)
    if failed:
        return failures.setup_failed(report, failed)
    report.stable["runner"] = runner
    job.enter()
    before = job.tree.snapshot()
    lines = own_lines.find(job, report, deadline)
    cover = lines if own_lines.IS_CHEAP else None
    first = run_suite(job, report, plan, runner, deadline, cover=cover)
    if first.finished == 4 and not first.outcomes and plan["options"] and first.reason is None:
        plan = {**plan, "options": []}
        first = run_suite(job, report, plan, runner, deadline, cover=cover)
    if runner == "pytest" and first.finished is None and not (first.outcomes or first.collection_errors or first.reason or first.signal):
        # A plugin of some dependency that does not even load must not decide about this project.
        plan = {**plan, "autoload": False}
        first = run_suite(job, report, plan, runner, deadline, cover=cover)
    # Whether there is time for more runs is no word about the package: they add what is new and no more.
    seen = job.observation.events
    job.observation.redirect(again := events.Events())
    runs = [first, *_repeat(job, report, plan, runner, deadline, first)]
    if not first.reason:
        job.tested = Tested(plan, runner, stable_names(first.outcomes), merge(runs), first.seconds)
    if lines and first.outcomes and not first.reason:
        measured = first if own_lines.IS_CHEAP else _measure(job, report, plan, runner, deadline, first, lines)
        _cover(job, report, lines, measured)
    job.observation.redirect(seen)
    seen.merge_new(again)
    _judge(job, report, runs, tops)
    if any(run.tampered for run in runs):
        job.observation.events.add("tamper", "test-channel")
        report.end("failed", "tampered")
    return report.changed(before, hashed=False)


def _discover(job, report, tops):
    archive = job.files[job.subject["filename"]] if job.subject["kind"] == "sdist" else None
    site = layout.SITE + "/"
    installed = [path[len(site) :] for path in job.own_files if path.startswith(site)]
    outcome = sandboxed.run(
        lambda: discovery.prepare(archive, layout.TESTS, layout.SITE, tops, installed),
        layout.TESTS,
        job.environment(),
        job.limits,
        job.log("unittest"),
        want_result=True,
    )
    if outcome.reason is None:
        return json.loads(outcome.result), None
    report.ran(outcome)
    if outcome.reason in sandboxed.RESOURCE_REASONS:
        return None, report.end("failed", outcome.reason)
    return None, report.end("not-run", "bad-input")


def _provide_runner(job, report):
    """Installs what only the tests need; pytest from there, else from the image, else unittest."""
    present = {_project(name) for name in job.plan["packages"]["run"]} | {job.subject["project"]}
    wheels = [path for path in job.wheels("test") if _project(os.path.basename(path)) not in present]
    has_own = "pytest" in present or any(_project(os.path.basename(path)) == "pytest" for path in wheels)
    in_image = os.path.isdir(f"{layout.SYSTEM_PACKAGES}/_pytest")
    failed = environment.add_tests(job, report, wheels, with_pytest=in_image and not has_own)
    return ("pytest" if has_own or in_image else "unittest"), failed


def _project(filename):
    return text.canonical_name(filename.split("-")[0])


def _repeat(job, report, plan, runner, deadline, first):
    """More runs to tell a failure from a flicker: all tests once more, then those that ever failed."""
    limit = job.limits.seconds
    if runner != "pytest" or first.reason or not first.outcomes or first.seconds > min(limit * REPEAT_BELOW, REPEAT_SECONDS):
        return []
    second = run_suite(job, report, plan, runner, deadline)
    if second.reason:
        return []
    failing = sorted({node for run in (first, second) for node, outcome in run.outcomes.items() if outcome in FAILS})
    if not failing:
        return [second]
    third = run_suite(job, report, plan, runner, deadline, only=failing)
    return [second] if third.reason else [second, third]


def _measure(job, report, plan, runner, deadline, first, lines):
    """A run of its own, whose outcomes do not count: slow as it is, it must not decide about a test. None without time for it."""
    now = time.monotonic()
    if first.seconds > APART_BELOW_SECONDS or deadline - now < APART_SECONDS:
        return None
    run = run_suite(job, report, plan, runner, now + APART_SECONDS, cover=lines)
    return None if run.reason else run


def _cover(job, report, lines, run):
    """The lines there are follow from the files; those that ran depend on threads and timing, too."""
    report.stable["executableLines"] = sum(map(len, lines.values()))
    if run is not None and not run.tampered:
        report.volatile["coveredLines"] = sum(map(len, run.lines.values()))
        job.log(f"coverage-{report.task}").write(own_lines.table(lines, run.lines))


def merge(runs):
    """Stable test name -> outcome over all runs."""
    seen, known = {}, {}
    for index, run in enumerate(runs):
        # The third run is a selection: numbering its names anew would mix tests up.
        named = stable_names(run.outcomes) if index < 2 else {}
        for node, outcome in run.outcomes.items():
            name = known.get(node) or named.get(node)
            if name is not None:
                known[node] = name
                seen.setdefault(name, []).append(outcome)
    merged = {}
    for name, outcomes in seen.items():
        failed = [outcome in FAILS for outcome in outcomes]
        flaky = any(failed) and not all(failed)
        merged[name] = "flaky" if flaky else min(outcomes, key=WORST_FIRST.index)
    return merged


def stable_names(nodes):
    """Node id -> name that is equal on every machine; ids that fall together are numbered in the order they ran."""
    named, used = {}, {}
    for node in nodes:
        name = text.clip(text.stable_id(node), 1980)
        used[name] = used.get(name, 0) + 1
        named[node] = name if used[name] == 1 else f"{name}#{used[name]}"
    return named


def fit_tests(merged):
    """The tests sorted by name, as many as fit, and how many did not."""
    kept, room = {}, TESTS_TEXT
    for name in sorted(merged):
        room -= len(json.dumps(name)) + 18
        if room < 0:
            break
        # No JSON reader keeps such a key safely, and no test is called so.
        if name != "__proto__":
            kept[name] = merged[name]
    return kept, len(merged) - len(kept)


def _judge(job, report, runs, tops):
    first = runs[0]
    if first.reason:
        return report.end("failed", first.reason)
    own = set(tops)
    merged = merge(runs)
    foreign = []
    for node, network, missing in first.collection_errors:
        is_foreign = missing is not None and missing.split(".")[0] not in own
        foreign.append(is_foreign)
        # A test file that needs a package nobody declared says nothing about the project.
        name = text.clip(text.stable_id(node), 1980)
        merged.setdefault(name, "skipped" if is_foreign else "needs-network" if network else "error")
    tests, omitted = fit_tests(merged)
    report.stable.update(tests=tests, testsOmitted=omitted)
    ran = set(merged.values())
    if not any(run.outcomes for run in runs):
        if foreign and all(foreign):
            return report.end("unsupported", "dependencies-unavailable")
        if first.signal:
            return report.end("failed", "signal", sandboxed.Outcome(signal=first.signal))
        if ran == {"needs-network"}:
            return report.end("unsupported", "needs-network")
        if first.collection_errors or first.finished not in (0, 5):
            return report.end("failed", "collection-failed")
        return report.end("not-run", "no-tests")
    crash = next((run.signal for run in runs if run.signal), None)
    if crash:
        return report.end("failed", "signal", sandboxed.Outcome(signal=crash))
    if ran & {"failed", "error"}:
        return report.end("failed", "tests-failed")
    if "needs-network" in ran and not ran & {"passed", "xfailed", "xpassed", "flaky"}:
        return report.end("unsupported", "needs-network")
    return report.end("passed")
