"""Task `import`: every module of the distribution in a fresh process."""

import json
import os
import re

import install
import layout
import modules
import text
from job import Report
from sandboxed import RESOURCE_REASONS, Outcome

ZYGOTE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zygote.py")
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
    before = job.tree.snapshot()
    said = _zygote(job, chosen)
    if said is None:
        return report.end("failed", "tampered")
    totals = said["totals"]
    report.ran(
        Outcome(cpu_ms=totals["cpu"], peak_bytes=totals["peak"], leftover=totals["leftover"], output_bytes=totals["output"])
    )
    job.log("import").write(said["log"].encode("utf-8", "backslashreplace"))
    answers = said["answers"]
    if len(answers) < len(chosen):
        report.end("failed", "timeout", modulesOmitted=len(names))
        return report
    report.stable["modules"] = [_row(answer) for answer in answers]
    report.stable["modulesOmitted"] = len(names) - len(chosen)
    _judge(job, report, answers, names)
    return report.changed(before, hashed=False)


def _zygote(job, chosen):
    limits = job.limits
    config = {
        "modules": chosen,
        "env": job.environment(),
        "venv": layout.VENV,
        "site": layout.SITE,
        "logBytes": job.plan["limits"]["logBytes"],
        "limits": {
            "seconds": limits.seconds,
            "memoryBytes": limits.memory_bytes,
            "processes": limits.processes,
            "outputBytes": limits.output_bytes,
        },
    }
    path = f"{layout.AGENT_PRIVATE}/import.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    read, write = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write, 1)]
    argv = [layout.SYSTEM_PYTHON, "-s", "-S", "-P", "-B", ZYGOTE, path]
    pid = os.posix_spawn(argv[0], argv, {**job.environment(), "HOME": "/root"}, file_actions=actions)
    os.close(write)
    with open(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    os.unlink(path)
    try:
        return json.loads(data)
    except ValueError:
        return None


def _names_other_platform(job, name):
    """Whether a submodule's source says itself that it is for another system, as `click._winconsole` does."""
    path = f"{layout.SITE}/{name.replace('.', '/')}"
    for candidate in (f"{path}.py", f"{path}/__init__.py"):
        if candidate in job.own_files:
            return OTHER_PLATFORM.search(install.read_regular(candidate, SOURCE_BYTES)) is not None
    return False


def _row(answer):
    row = {"name": text.clip(answer["name"], 1000), "outcome": answer["outcome"]}
    if answer.get("error"):
        row["error"] = text.clip(answer["error"], 200)
    if answer.get("signal"):
        row["signal"] = answer["signal"]
    return row


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
