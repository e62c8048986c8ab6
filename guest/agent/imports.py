"""Task `import`: every module of the distribution in a fresh process."""

import json
import re
import time

import cgroups
import install
import layout
import modules
import text
import tools
from job import Report
from sandboxed import RESOURCE_REASONS, Outcome

MODULE_SECONDS = 30.0
#: That a module's threads may go on when its import is over.
PATIENCE_SECONDS = 5.0
RESULT_BYTES = 4096
SOURCE_BYTES = 4 * 1024 * 1024
OTHER_PLATFORM = re.compile(
    rb"""sys\.platform\s*(?:==|!=|\.startswith\()\s*["'](?:win|darwin|cygwin)|os\.name\s*[!=]=\s*["']nt|\bwindll\b|\bWinDLL\b"""
)


def import_modules(job):
    report = Report(job, "import")
    report.stable.update(modules=[], modulesOmitted=0)
    if not job.own_files:
        return report.end("not-run", "install-failed")
    names = modules.of_files(job.own_files, layout.SITE)
    if not names:
        return report.end("not-run", "no-modules")
    chosen = names[: modules.LIMIT]
    job.enter()
    before = job.tree.snapshot()
    answers, totals = import_all(job, chosen, job.log("import"))
    report.ran(totals)
    if len(answers) < len(chosen):
        report.end("failed", "timeout", modulesOmitted=len(names))
        return report
    report.stable["modules"] = [row(answer) for answer in answers]
    report.stable["modulesOmitted"] = len(names) - len(chosen)
    _judge(job, report, answers, names)
    return report.changed(before, hashed=False)


def import_all(job, chosen, log):
    """(answers, totals) of the modules in their order; fewer when the time is up."""
    limits = job.limits
    group = cgroups.create("pyti-import", limits.memory_bytes, limits.processes)
    deadline = time.monotonic() + limits.seconds
    # Were there a thread that never ends in every module, half of the time is still for the imports.
    patience = max(0.1, min(PATIENCE_SECONDS, limits.seconds / 2 / max(1, len(chosen))))
    answers, totals = [], Outcome()
    for name in chosen:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        answer, outcome = _try_import(job, name, limits.within(min(remaining, MODULE_SECONDS)), group, log, patience)
        if outcome.reason == "timeout" and remaining <= MODULE_SECONDS:
            break
        if outcome.reason == "process-limit":
            # The peak of a group stays: the next module needs a fresh one.
            group.remove()
            group = cgroups.create(f"pyti-import-{len(answers)}", limits.memory_bytes, limits.processes)
        totals.leftover += outcome.leftover
        totals.cpu_ms += outcome.cpu_ms
        answers.append(answer)
    used = group.cpu_milliseconds()
    totals.cpu_ms = totals.cpu_ms if used is None else used
    totals.peak_bytes = group.peak_bytes() or 0
    totals.output_bytes = log.total
    group.remove()
    tools.discard("import")
    return answers, totals


def _try_import(job, name, limits, group, log, patience):
    """One module in one fresh process: its answer and the Outcome."""
    before = log.total
    arguments = {"name": name, "venv": layout.VENV, "site_packages": layout.SITE, "patience": patience}
    work = tools.Run("import", arguments, job.plan["hashSeed"])
    outcome = job.observation.run(work, layout.HOME, job.environment(), limits, log, group=group, want_result=True)
    answer = {"name": name, "outcome": "passed", "reason": outcome.reason}
    said = _parse(outcome.result)
    if outcome.reason == "signal":
        answer.update(outcome="signal", signal=outcome.signal)
    elif outcome.reason == "timeout":
        answer["outcome"] = "timeout"
    elif outcome.reason not in (None, "exit-code"):
        answer["outcome"] = "killed"
    elif said is None:
        answer["outcome"] = "exit"
    elif said["error"]:
        answer.update(outcome="error", error=said["error"], missing=said["missing"])
    if answer["outcome"] != "passed" or log.total != before:
        log.note(f"import {name}: {answer['outcome']} {outcome.reason or ''}".rstrip())
    return answer, outcome


def _parse(data):
    try:
        said = json.loads(data[:RESULT_BYTES])
    except (ValueError, RecursionError):
        # Package code can write there itself, and older Pythons go no deeper than a thousand brackets.
        return None
    if not isinstance(said, dict) or set(said) != {"error", "missing"}:
        return None
    return said if all(value is None or isinstance(value, str) for value in said.values()) else None


def _names_other_platform(job, name):
    """Whether a submodule's source says itself that it is for another system, as `click._winconsole` does."""
    path = f"{layout.SITE}/{name.replace('.', '/')}"
    for candidate in (f"{path}.py", f"{path}/__init__.py"):
        if candidate in job.own_files:
            return OTHER_PLATFORM.search(install.read_regular(candidate, SOURCE_BYTES)) is not None
    return False


def row(answer):
    """An answer as it is told."""
    told = {"name": text.clip(answer["name"], 1000), "outcome": answer["outcome"]}
    if answer.get("error"):
        told["error"] = text.clip(answer["error"], 200)
    if answer.get("signal"):
        told["signal"] = answer["signal"]
    return told


def _judge(job, report, answers, names):
    tops = set(modules.top_level(names))
    own = {name.split(".")[0] for name in names}

    def is_foreign(answer):
        missing = answer.get("missing")
        return answer["outcome"] == "error" and missing and missing.split(".")[0] not in own

    def is_elsewhere(answer):
        return answer["outcome"] == "error" and _names_other_platform(job, answer["name"])

    bad = [answer for answer in answers if answer["outcome"] != "passed"]
    blamed = [answer for answer in bad if answer["name"] in tops or not (is_foreign(answer) or is_elsewhere(answer))]
    if not blamed:
        return report.end("passed")
    if job.is_incomplete("run") and all(is_foreign(answer) for answer in blamed):
        return report.end("unsupported", "dependencies-unavailable")
    for answer in blamed:
        if answer["reason"] in RESOURCE_REASONS:
            return report.end("failed", answer["reason"])
    for answer in blamed:
        if answer["outcome"] == "signal":
            return report.end("failed", "signal", Outcome(signal=answer["signal"]))
    return report.end("failed", "module-failed")
