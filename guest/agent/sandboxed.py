"""Runs one program (or one Python function) as the unprivileged user, within limits, and says how it ended."""

import fcntl
import os
import re
import resource
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass

import cgroups
import kernel
import processes

UID = GID = 1000
CHUNK = 65536
TAIL_BYTES = 16 * 1024
DRAIN_SECONDS = 2.0
RESULT_BYTES = 64 * 1024 * 1024
FILE_BYTES = 2 * 1024**3


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


def run(work, cwd, env, limits, log, as_user=True, group=None, watch=None, want_result=False):
    """
    Runs `work`, an argv list or a function that returns bytes, and waits for its end and the end of all it started.
    `want_result`: descriptor 3 of the program is a pipe whose bytes come back in `result` (or go to `watch.feed`).
    `watch.expired(now)` may end the run early; its true answer is the reason's word.
    """
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    own_group = group is None
    if own_group:
        group = cgroups.create(f"pyti-{os.getpid()}", limits.memory_bytes, limits.processes)
    before = group.events()
    started = time.monotonic()
    output, output_end = os.pipe()
    result, result_end = os.pipe() if want_result else (None, None)
    pid = os.fork()
    if pid == 0:
        _child(work, cwd, env, limits, as_user, group, output_end, result_end)
    os.close(output_end)
    if want_result:
        os.close(result_end)
    pump = _Pump(output, result, pid, limits, log, watch, started)
    try:
        pump.until_exit()
        outcome = Outcome(leftover=_leftovers(group, pid, as_user))
        full = pump.stopped is None and disk_is_full()
        status, usage = _end(group, pid, as_user, pump.exited)
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
    if outcome.exit_code == 0:
        return None
    out_of_memory, forks_refused = events
    last = tail.rstrip().rsplit(b"\n", 1)[-1]
    if forks_refused or (not group.pids and (b"can't start new thread" in tail or b"[Errno 11]" in last)):
        return "process-limit"
    if full and out_of_memory:
        return "disk-full"
    if out_of_memory or last.startswith(b"MemoryError") or (not group.memory and re.search(rb"\n\s*MemoryError", tail)):
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


def _end(group, pid, as_user, exited):
    """Kills everything the run started; the status and use of its first process."""
    if not exited:
        os.kill(pid, signal.SIGKILL)
    # Waiting comes first: the reaping of orphans below would swallow the status.
    emptied = None if exited else group.kill()
    _, status, usage = os.wait4(pid, 0)
    if emptied is None:
        emptied = group.kill()
    if not emptied and as_user:
        processes.kill_user(UID)
    return status, usage


class _Pump:
    """Reads what the program says until it ends, breaks a limit, or runs out of time."""

    def __init__(self, output, result, pid, limits, log, watch, started):
        self.output, self.result = output, result
        self.limits, self.log, self.watch = limits, log, watch
        self.deadline = started + limits.seconds
        self.pid_handle = os.pidfd_open(pid)
        self.exited = False
        self.stopped = None
        self.written = 0
        self.received = bytearray()
        self.received_total = 0
        self.poll = select.poll()
        self.open = {output} | ({result} if result is not None else set())
        for descriptor in self.open:
            os.set_blocking(descriptor, False)
            self.poll.register(descriptor, select.POLLIN)
        self.poll.register(self.pid_handle, select.POLLIN)

    def until_exit(self):
        while self.stopped is None:
            now = time.monotonic()
            if self.watch is not None:
                self.stopped = self.watch.expired(now)
            if now >= self.deadline:
                self.stopped = "timeout"
            if self.stopped:
                return
            wait = self.deadline - now
            ready = self.poll.poll(min(wait, 1.0 if self.watch else wait) * 1000 + 1)
            for descriptor, _ in ready:
                if descriptor != self.pid_handle:
                    self._read(descriptor)
            # A flood of output must not hide the end of the program, nor may the end hide its last words.
            if any(descriptor == self.pid_handle for descriptor, _ in ready):
                self.exited = True
                return

    def drain(self):
        """After all processes are dead the pipes end; the time limit is for what should not happen."""
        limit = time.monotonic() + DRAIN_SECONDS
        if self.exited or self.stopped:
            try:
                self.poll.unregister(self.pid_handle)
            except KeyError:
                pass
        while self.open and time.monotonic() < limit:
            for descriptor, _ in self.poll.poll(100):
                self._read(descriptor)

    def _read(self, descriptor):
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.open.discard(descriptor)
            self.poll.unregister(descriptor)
        elif descriptor == self.output:
            self.written += len(data)
            self.log.write(data)
            if self.written > self.limits.output_bytes and self.stopped is None:
                self.stopped = "output-limit"
        else:
            self.received_total += len(data)
            if self.received_total > RESULT_BYTES:
                self.stopped = self.stopped or "output-limit"
            elif self.watch is not None:
                self.watch.feed(data)
            else:
                self.received += data

    def close(self):
        os.close(self.pid_handle)
        os.close(self.output)
        if self.result is not None:
            os.close(self.result)


def _child(work, cwd, env, limits, as_user, group, output, result):
    """Never returns. Everything privileged first, then the identity, then the work."""
    try:
        null = os.open("/dev/null", os.O_RDONLY)
        # Both pipes may sit on 1 to 3 themselves: move them out of the way first.
        output = _above(output, 10)
        result = _above(result, 10) if result is not None else None
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if result is not None:
            os.dup2(result, 3)
        os.closerange(4 if result is not None else 3, 65536)
        os.setsid()
        if group.path is not None and not group.enter():
            raise OSError("cannot enter the control group")
        kernel.write_small("/proc/self/oom_score_adj", "1000")
        _set_limits(limits, group)
        for number in range(1, 65):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN if callable(work) else signal.SIG_DFL)
        os.umask(0o022)
        if as_user:
            kernel.drop_capabilities()
            os.setgroups([])
            os.setresgid(GID, GID, GID)
            os.setresuid(UID, UID, UID)
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        os.chdir(cwd)
        if callable(work):
            _call(work, env, result is not None)
        os.execve(work[0], work, env)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(127)


def _call(function, env, has_result):
    os.environ.clear()
    os.environ.update(env)
    try:
        answer = function()
        if has_result and answer:
            view = memoryview(answer)
            while view:
                view = view[os.write(3, view) :]
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            status = status or 1
    os._exit(status)


def _above(descriptor, least):
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, least)


def _set_limits(limits, group):
    def cap(kind, value):
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            pass

    cap(resource.RLIMIT_CORE, 0)
    cap(resource.RLIMIT_NOFILE, 1024)
    cap(resource.RLIMIT_FSIZE, FILE_BYTES)
    cap(resource.RLIMIT_MEMLOCK, 64 * 1024)
    cap(resource.RLIMIT_NPROC, limits.processes)
    if not group.memory:
        cap(resource.RLIMIT_DATA, limits.memory_bytes)
