"""Turns pip's last words into a word of the raw data API."""

import re

import text
from sandboxed import RESOURCE_REASONS

_OTHER_PYTHON = re.compile(rb"^ERROR: Package .* requires a different Python", re.M)
_UNSUPPORTED_WHEEL = re.compile(rb"^ERROR: .* is not a supported wheel on this platform", re.M)
#: Behind it pip says at length that it cannot tell what went wrong.
_EPILOGUE = re.compile(rb"^[^\S\n]*error: (?:subprocess-exited-with-error|metadata-generation-failed)\b", re.M)
#: How compilers and build tools say that the machine lacks one of them, or a library's headers. A header in quotes is the package's own.
_LACKS = re.compile(
    rb"""fatal\ error:\ \S+:\ No\ such\ file\ or\ directory\n[^\n]*\#\s*include\s*<  # gcc
    | \bld:\ cannot\ find\ -l
    | error:\ command\ '[^'\n]+'\ failed:\ No\ such\ file\ or\ directory            # setuptools
    | can't\ find\ Rust\ compiler | No\ module\ named\ 'puccinialin'               # setuptools-rust, maturin
    | ERROR:\ Unknown\ compiler\(s\) | ERROR:\ Dependency\ \S+\ not\ found            # meson
    | No\ CMAKE_\w+_COMPILER\ could\ be\ found | Could\ NOT\ find\ \w+\ \(missing
    | was\ not\ found\ in\ the\ pkg-config\ search\ path | \w_config\ executable\ not\ found
    | development\ packages\ are\ installed | headers\ or\ library\ files\ could\ not\ be\ found""",
    re.X,
)


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
    epilogue = _EPILOGUE.search(tail)
    if epilogue and tail[: epilogue.start()].strip():
        report.volatile["excerpt"] = text.excerpt(tail[: epilogue.start()])
    if _OTHER_PYTHON.search(tail):
        return report.end("unsupported", "needs-other-python")
    if _UNSUPPORTED_WHEEL.search(tail):
        return report.end("unsupported", _tag_reason(job))
    if job.is_incomplete(*groups) or (groups and _LACKS.search(tail)):
        return report.end("unsupported", "dependencies-unavailable")
    return report.end("failed", "exit-code", outcome)


def _tag_reason(job):
    """A wheel for this platform that pip refuses is for another Python."""
    name = (job.wheel or job.subject["filename"]).rsplit("/", 1)[-1].removesuffix(".whl")
    platforms = name.rsplit("-", 1)[-1].split(".")
    fits = any(tag == "any" or (tag.startswith(("manylinux", "linux_")) and tag.endswith("x86_64")) for tag in platforms)
    return "needs-other-python" if fits else "needs-other-platform"
