"""Runs a program, a Python function or a tool as the unprivileged user, within limits, and says how it ended."""

import os
import re
import signal
import time
from dataclasses import dataclass

import cgroups
import child
import kernel
import processes
from child import GID, UID
from pump import Pump

TAIL_BYTES = 16 * 1024


@dataclass(frozen=True)
class Limits:
    seconds: float
    memory_bytes: int
    processes: int
    output_bytes: int

    def within(self, seconds):
        """The same limits with at most this much time."""
        return Limits(max(0.0, min(self.seconds, seconds)), self.memory_bytes, self.processes, self.output_bytes)


@dataclass
class Outcome:
    """How a run ended. `reason` is None for exit code 0, else a word of the raw data API."""

    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    milliseconds: int = 0
    cpu_ms: int = 0
    peak_bytes: int = 0
    leftover: int = 0
    output_bytes: int = 0
    result: bytes = b""


RESOURCE_REASONS = frozenset({"process-limit", "out-of-memory", "disk-full", "output-limit", "timeout"})


class Own:
    """A process this one forked and waits for itself."""

    def __init__(self, work, launch):
        self.pid = os.fork()
        if self.pid == 0:
            (child.call if callable(work) else child.execute)(work, launch)

    def wait(self):
        """(status, rusage) once it has ended."""
        return os.wait4(self.pid, 0)[1:]


def run(work, cwd, env, limits, log, as_user=True, group=None, watch=None, want_result=False, observer=None):
    """
    Runs `work` and waits for its end and the end of all it started: an argv list, a function that returns bytes or an exit
    status, or something that can `launch` a process elsewhere (see `tools.Run`).
    `want_result`: descriptor 3 of the program is a pipe whose bytes come back in `result` (or go to `watch.feed`).
    `watch.expired(now)` may end the run early; its true answer is the reason's word.
    `observer` looks on (see `observed_run`): it is told of the start, and of the end before what is left is killed.
    """
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    own_group = group is None
    if own_group:
        group = cgroups.create(f"pyti-{os.getpid()}", limits.memory_bytes, limits.processes)
    before = group.events()
    started = time.monotonic()
    output, output_end = os.pipe()
    result, result_end = os.pipe() if want_result else (None, None)
    launch = child.Launch(
        cwd, env, limits.processes, limits.memory_bytes, as_user, group.path, group.memory, output_end, result_end
    )
    process = work.launch(launch, log) if hasattr(work, "launch") else Own(work, launch)
    os.close(output_end)
    if want_result:
        os.close(result_end)
    if observer is not None:
        observer.started(process.pid)
    pump = Pump(output, result, process.pid, limits, log, watch, started, observer)
    try:
        pump.until_exit()
        if observer is not None and pump.exited:
            observer.ending(group)
        outcome = Outcome(leftover=_leftovers(group, process.pid, as_user))
        full = pump.stopped is None and disk_is_full()
        status, usage = _end(group, process, as_user, pump)
        pump.drain()
    finally:
        pump.close()
    processes.reap()
    outcome.milliseconds = int((time.monotonic() - started) * 1000)
    outcome.cpu_ms = _first(group.cpu_milliseconds() if own_group else None, int((usage.ru_utime + usage.ru_stime) * 1000))
    outcome.peak_bytes = _first(group.peak_bytes() if own_group else None, usage.ru_maxrss * 1024)
    outcome.output_bytes = pump.written
    outcome.result = bytes(pump.received)
    if os.WIFSIGNALED(status):
        outcome.signal = signal_name(os.WTERMSIG(status))
    else:
        outcome.exit_code = os.WEXITSTATUS(status)
    after = group.events()
    # Files of a full private layer count as memory: whichever limit is lower is met, the cause is the same.
    full = full or (after[0] > before[0] and group.is_full_of_files())
    delta = (after[0] - before[0], after[1] - before[1])
    outcome.reason = _reason(outcome, delta, full, pump.stopped, log.recent(min(TAIL_BYTES, pump.written)) if pump.written else b"", group)
    if own_group:
        group.remove()
    return outcome


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRT{number}"


def disk_is_full():
    """Whether a writable file system has practically no room left."""
    for path in ("/", "/tmp", "/dev/shm"):
        try:
            space = os.statvfs(path)
        except OSError:
            continue
        if space.f_blocks and (space.f_bavail * space.f_frsize < 256 * 1024 or (space.f_files and space.f_favail < 16)):
            return True
    return False


def _reason(outcome, events, full, stopped, tail, group):
    # Beyond its limit a result is cut: it cannot be read, and whether the end was seen first is chance.
    if outcome.exit_code == 0 and stopped != "output-limit":
        return None
    out_of_memory, forks_refused = events
    last = tail.rstrip().rsplit(b"\n", 1)[-1]
    if forks_refused or (not group.pids and (b"can't start new thread" in tail or b"[Errno 11]" in last)):
        return "process-limit"
    if full and out_of_memory:
        return "disk-full"
    if out_of_memory or last.startswith(b"MemoryError") or (not group.memory and re.search(rb"\n[^\S\n]*MemoryError", tail)):
        return "out-of-memory"
    if full or b"No space left on device" in tail:
        return "disk-full"
    if stopped:
        return stopped
    return "signal" if outcome.signal else "exit-code"


def _first(value, otherwise):
    return otherwise if value is None else value


def _leftovers(group, pid, as_user):
    alive = group.alive()
    if alive is None:
        alive = len([other for other in processes.of_user(UID) if other != pid]) if as_user else 0
    return alive


def _end(group, process, as_user, pump):
    """Kills everything the run started; the status and use of its first process."""
    if not pump.exited:
        signal.pidfd_send_signal(pump.pid_handle, signal.SIGKILL)
    # Waiting comes first: the reaping of orphans below would swallow the status.
    emptied = None if pump.exited else group.kill()
    status, usage = process.wait()
    if emptied is None:
        emptied = group.kill()
    if not emptied and as_user:
        processes.kill_user(UID)
    return status, usage
