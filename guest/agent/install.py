"""Task `install`: the subject's wheel by real pip, its own files by what is on the disk."""

import csv
import io
import os
import stat

import archives
import environment
import failures
import layout
import text
import tools
from contents import Contents
from job import Report

RECORD_BYTES = 32 * 1024 * 1024
#: Written by the installer, not part of the distribution; direct_url.json names a local path.
INSTALLER_FILES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
CHECK_MARK = b"[pyti] pip check\n"


def install(job):
    report = Report(job, "install")
    report.stable.update(files=[], filesOmitted=0, conflicts=[])
    if job.wheel is None:
        return report.end("not-run", "build-failed")
    log = job.log("install")
    failed = environment.create(job, report, layout.VENV, job.wheels("run"))
    if failed:
        return failures.setup_failed(report, failed)
    before = job.tree.snapshot()
    command = [
        "install", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--disable-pip-version-check",
        "--no-input", "--no-color", "--progress-bar", "off", "--no-warn-script-location", job.wheel,
    ]  # fmt: skip
    pip = tools.Run("pip", {"venv": layout.VENV, "arguments": command, "check_mark": CHECK_MARK.decode()})
    env = failures.pip_environment(job.environment())
    outcome = report.ran(job.observation.run(pip, layout.HOME, env, job.limits, log, want_result=True))
    if outcome.reason:
        failures.pip_failed(job, report, outcome, (), log)
        return report.changed(before, hashed=True)
    own = own_files(job)
    if own is None:
        log.note("pip installed nothing that has a RECORD")
        report.end("failed", "bad-input")
        return report.changed(before, hashed=True)
    job.own_files = own
    named = [
        (text.clip(text.template_path(text.readable(path)), 4096), path)
        for path in own
        if not (os.path.dirname(path).endswith(".dist-info") and os.path.basename(path) in INSTALLER_FILES)
    ]
    fitting = archives.fit(sorted(named))
    contents = Contents(bytes.fromhex(job.plan["seed"]))
    report.end(
        "passed",
        files=[{"path": name, "sha256": contents.read(name, path)} for name, path in fitting["files"]],
        filesOmitted=fitting["omitted"],
        keyed=contents.keyed(),
        conflicts=_conflicts(job, outcome.result, log),
    )
    return report.changed(before, hashed=True, ignore=with_parents(own))


def own_files(job):
    """Real paths of the files the subject's RECORD names inside the environment, sorted; None without a RECORD."""
    folder = _dist_info(job)
    if folder is None:
        return None
    found = set()
    lines = io.StringIO(read_regular(f"{folder}/RECORD", RECORD_BYTES).decode("utf-8", "surrogateescape"))
    try:
        for row in csv.reader(lines):
            path = os.path.normpath(f"{layout.SITE}/{row[0]}") if row else ""
            if path.startswith(layout.VENV + "/") and is_plain(path):
                found.add(path)
    except csv.Error:
        return None
    return sorted(found)


def _dist_info(job):
    wanted = job.subject["project"]
    try:
        names = sorted(os.listdir(layout.SITE))
    except OSError:
        return None
    for name in names:
        if name.endswith(".dist-info") and text.canonical_name(name.removesuffix(".dist-info").split("-")[0]) == wanted:
            path = f"{layout.SITE}/{name}"
            if os.path.isdir(path) and not os.path.islink(path) and is_plain(f"{path}/RECORD"):
                return path
    return None


def is_plain(path):
    """A regular file reached without any symbolic link below the environment."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and os.path.realpath(os.path.dirname(path)) == os.path.dirname(path)
    except (OSError, ValueError):
        return False


def read_regular(path, limit):
    """Bytes of a file the package's user owns, b'' without one; never through a link, a device or a pipe."""
    if not is_plain(path):
        return b""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        return file.read(limit) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _conflicts(job, checked, log):
    """`pip check`'s lines about the subject, sorted."""
    _, _, output = checked.partition(CHECK_MARK)
    log.write(output)
    lines = {text.clip(text.readable(line.strip()), 1000) for line in output.splitlines()} - {"No broken requirements found."}
    wanted = job.subject["project"]
    about = [line for line in lines if len(line.split()) > 2 and text.canonical_name(line.split()[0]) == wanted]
    return sorted(about)[:1000]


def with_parents(paths):
    """Files of the environment and the folders they are in."""
    found = set(paths)
    for path in paths:
        parent = os.path.dirname(path)
        while len(parent) > len(layout.VENV) and parent not in found:
            found.add(parent)
            parent = os.path.dirname(parent)
    return found
