"""Turns pip's last words into a word of the raw data API."""

import re

from sandboxed import RESOURCE_REASONS

_OTHER_PYTHON = re.compile(rb"^ERROR: Package .* requires a different Python", re.M)
_UNSUPPORTED_WHEEL = re.compile(rb"^ERROR: .* is not a supported wheel on this platform", re.M)


def pip_environment(env):
    """pip reads no configuration but ours and never asks."""
    return {**env, "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INPUT": "1"}


def setup_failed(report, outcome):
    """Dependencies that cannot be unpacked are nobody's verdict on the package."""
    if outcome.reason in RESOURCE_REASONS:
        return report.end("failed", outcome.reason)
    return report.end("unsupported", "dependencies-unavailable")


def pip_failed(job, report, outcome, groups, log):
    """Sets the outcome of a pip run that did not end with 0."""
    if outcome.reason != "exit-code":
        return report.end("failed", outcome.reason, outcome)
    tail = log.recent()
    if _OTHER_PYTHON.search(tail):
        return report.end("unsupported", "needs-other-python")
    if _UNSUPPORTED_WHEEL.search(tail):
        return report.end("unsupported", _tag_reason(job))
    if job.is_incomplete(*groups):
        return report.end("unsupported", "dependencies-unavailable")
    return report.end("failed", "exit-code", outcome)


def _tag_reason(job):
    """A wheel for this platform that pip refuses is for another Python."""
    name = (job.wheel or job.subject["filename"]).rsplit("/", 1)[-1].removesuffix(".whl")
    platforms = name.rsplit("-", 1)[-1].split(".")
    fits = any(tag == "any" or (tag.startswith(("manylinux", "linux_")) and tag.endswith("x86_64")) for tag in platforms)
    return "needs-other-python" if fits else "needs-other-platform"
