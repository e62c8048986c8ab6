"""Task `static`: what the subject's files say before anything of them runs (see `static_scan`)."""

import json
import os
import shutil

import layout
import sandboxed
import static_scan
import text
from job import Report

AGENT = os.path.dirname(os.path.abspath(__file__))
#: Beside the agent in the guest, beside its folder in the repository.
SOURCES = (f"{AGENT}/rules", f"{os.path.dirname(AGENT)}/rules")
RULES = f"{layout.WORK}/rules"
GRADE_UNITS = 200


def look(job):
    report = Report(job, "static")
    report.stable.update(ruleset="", findings=[], findingsOmitted=0, grades={})
    path = job.files.get(job.subject["filename"])
    _publish_rules()
    outcome = report.ran(
        sandboxed.run(
            lambda: json.dumps(static_scan.static_scan(path, job.wheel, job.subject, RULES)).encode(),
            layout.HOME,
            job.environment(),
            job.limits,
            job.log("static"),
            want_result=True,
        )
    )
    if outcome.reason:
        is_limit = outcome.reason in sandboxed.RESOURCE_REASONS
        return report.end("failed", outcome.reason) if is_limit else report.end("not-run", "bad-input")
    said = json.loads(outcome.result)
    rules = said["ruleSet"]
    job.log("static").note(json.dumps(said["facts"], sort_keys=True))
    return report.end(
        "passed",
        ruleset=f"{rules['version']} {rules['sha256'][:12]} {rules['engine']}",
        findings=said["findings"],
        findingsOmitted=said["findingsOmitted"],
        grades=grades(said["grades"]),
        metadataScore=said["grades"]["metadata"]["score"],
        declared=said["declared"],
        tools=said["tools"],
    )


def grades(said):
    """Name of a check -> `passed` or why not."""
    found = {}
    for code, _, passed in said["metadata"]["checks"]:
        found[f"metadata {code}"] = "passed" if passed else "missing"
    for code, field in said["metadata"]["messages"]:
        found[f"metadata {code}"] = field
    found["description"] = ", ".join(code for code, _ in said["description"]["messages"]) or "passed"
    contents = said["wheelContents"]
    if contents is not None:
        found["wheel contents"] = ", ".join(sorted({code for code, _ in contents["messages"]})) or "passed"
    return {text.clip(name, 100): text.clip(value, GRADE_UNITS) for name, value in sorted(found.items())}


def _publish_rules():
    """The user that reads the subject cannot read the agent's folder."""
    if not os.path.isdir(RULES):
        source = next(folder for folder in SOURCES if os.path.isdir(folder))
        shutil.copytree(source, RULES)
        for name in os.listdir(RULES):
            os.chmod(f"{RULES}/{name}", 0o644)
        os.chmod(RULES, 0o755)
