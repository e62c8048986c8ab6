"""One run of a test suite, continued in a new process when a test takes the interpreter down with it."""

import json
import os
import time
from dataclasses import dataclass, field

import layout
import own_lines
import sandboxed
from recording import Recording

RESTARTS = 10
SELECTION = f"{layout.TOOLS}/tests.json"
OPTIONS = [
    "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-p", "pytest_recorder", "-q", "--tb=short",
    "--color=no", "-o", "addopts=", "-o", "required_plugins=", "--continue-on-collection-errors",
    "-W", "ignore::pytest.PytestConfigWarning",
]  # fmt: skip


@dataclass
class Suite:
    """`reason`: a resource limit ended it; nothing else holds then."""

    outcomes: dict = field(default_factory=dict)
    collection_errors: list = field(default_factory=list)
    signal: str | None = None
    reason: str | None = None
    #: pytest's own exit status, None when it never came that far.
    finished: int | None = None
    seconds: float = 0.0
    #: Name of a module -> lines that ran, when that was asked for.
    lines: dict = field(default_factory=dict)
    #: The recorder's lines cannot all be the recorder's.
    tampered: bool = False


def run_suite(job, report, plan, runner, deadline, only=None, cover=None):
    """Runs all tests, or those with the node ids `only`. `cover`: lines of modules (`own_lines`) of which to see which run."""
    started = time.monotonic()
    suite = Suite()
    log = job.log(report.task)
    for _ in range(RESTARTS + 1):
        _select(only, list(suite.outcomes), cover)
        recording = Recording(cover)
        outcome = report.ran(
            job.observation.run(
                _command(plan, runner),
                layout.TESTS,
                _environment(job, plan),
                job.limits.within(deadline - time.monotonic()),
                log,
                watch=recording,
                want_result=True,
            )
        )
        suite.outcomes.update(recording.outcomes)
        for name, lines in recording.lines.items():
            suite.lines.setdefault(name, set()).update(lines)
        suite.tampered = suite.tampered or recording.tampered
        suite.collection_errors = recording.collection_errors or suite.collection_errors
        if outcome.reason in sandboxed.RESOURCE_REASONS and not recording.hung:
            suite.reason = outcome.reason
            break
        if recording.finished is not None:
            suite.finished = recording.finished
            if outcome.reason == "signal":
                suite.signal = suite.signal or outcome.signal
            break
        if outcome.reason == "signal" and not recording.hung:
            suite.signal = suite.signal or outcome.signal
        if recording.running is None:
            break
        suite.outcomes[recording.running] = "failed" if recording.hung else "error"
        log.note(f"the interpreter ended in {recording.running[:200]!r}; going on with the other tests")
    suite.seconds = time.monotonic() - started
    return suite


def _environment(job, plan):
    env = {**job.environment(), "PYTI_TESTS": SELECTION}
    if not plan.get("autoload", True):
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return env


def _command(plan, runner):
    python = f"{layout.VENV}/bin/python"
    if runner == "unittest":
        return [python, f"{layout.TOOLS}/unittest_recorder.py", plan["arguments"][0]]
    return [python, "-m", "pytest", *OPTIONS, f"--rootdir={plan['rootdir']}", *plan["options"], *plan["arguments"]]


def _select(only, skip, cover):
    if os.path.lexists(SELECTION):
        os.unlink(SELECTION)
    with open(SELECTION, "w", encoding="utf-8") as file:
        wanted = None if cover is None else {"own": sorted(cover), "roots": own_lines.ROOTS}
        json.dump({"only": only, "skip": skip, "cover": wanted}, file)
