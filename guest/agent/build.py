"""Task `build`: source distribution -> wheel, offline, with the build requirements the volunteer resolved."""

import json
import os
import re
import stat

import archives
import environment
import failures
import layout
import sandboxed
import text
import tools
from job import Report

FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
WHEEL_BYTES = 1024**3


def build(job):
    report = Report(job, "build")
    if job.subject["kind"] == "wheel":
        job.wheel = job.files.get(job.subject["filename"])
        return report.end("not-run", "is-a-wheel")
    log = job.log("build")
    failed = _unpack(job, report)
    if failed:
        return failed
    wheels = job.wheels("build")
    failed = environment.create(job, report, layout.BUILD_VENV, wheels, system=not wheels)
    if failed:
        return failures.setup_failed(report, failed)
    job.observation.enter(f"{layout.BUILD_VENV}/{layout.LIBRARY}", [layout.BUILD_SOURCE + "/"], build=True)
    before = job.tree.snapshot()
    command = [
        "wheel",
        "--no-build-isolation", "--use-pep517", "--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
        "--no-input", "--no-color", "-v", "--progress-bar", "off", "--wheel-dir", layout.WHEEL, layout.BUILD_SOURCE,
    ]  # fmt: skip
    env = failures.pip_environment(job.environment(layout.BUILD_VENV))
    pip = tools.Run("pip", {"venv": layout.BUILD_VENV, "arguments": command})
    outcome = report.ran(job.observation.run(pip, layout.BUILD, env, job.limits, log))
    if outcome.reason:
        failures.pip_failed(job, report, outcome, ("build",), log)
    else:
        _take_wheel(job, report)
    return report.changed(before, hashed=True)


def _unpack(job, report):
    archive = job.files.get(job.subject["filename"])

    def unpack():
        os.mkdir(layout.BUILD_SOURCE)
        archives.unpack_sdist(archive, layout.BUILD_SOURCE)
        return b""

    log = job.log("build")
    outcome = sandboxed.run(unpack, layout.BUILD, job.environment(), job.limits, log)
    if outcome.reason is None:
        return None
    report.ran(outcome)
    if outcome.reason in sandboxed.RESOURCE_REASONS:
        return report.end("failed", outcome.reason)
    return report.end("not-run", "bad-input")


def _take_wheel(job, report):
    """Moves the one wheel out of the package's reach and lists its members."""
    names = sorted(name for name in os.listdir(layout.WHEEL) if name.endswith(".whl"))
    if len(names) != 1 or not FILENAME.fullmatch(names[0]) or len(names[0]) > 255:
        job.log("build").note(f"wheels made: {len(names)}")
        return report.end("failed", "no-wheel-made")
    path = f"{layout.WHEEL}/{names[0]}"
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > WHEEL_BYTES:
        return report.end("failed", "no-wheel-made")
    # No process of the package is alive now, so this cannot race.
    os.chown(layout.WHEEL, 0, 0)
    os.chown(path, 0, 0)
    os.chmod(path, 0o444)
    listing = sandboxed.run(
        lambda: archives.wheel_members(path), layout.HOME, job.environment(), job.limits, job.log("build"), want_result=True
    )
    if listing.reason:
        report.ran(listing)
        return report.end("failed", "no-wheel-made")
    files = json.loads(listing.result)["files"]
    job.wheel = path
    wheel = {
        "filename": names[0],
        "files": [{"path": text.clip(text.readable(name), 4096), "sha256": digest} for name, digest in files],
    }
    return report.end("passed", wheel=wheel)
