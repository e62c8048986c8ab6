"""
strace around a fork server: root's, in a session of its own, out of reach of package code. Every run is a fork of a traced server
(`tools`, `fork_server`), so nothing has to be attached to while it runs, and only the calls of SYSTEM_CALLS ever stop a process:
strace installs its seccomp filter in the server, every fork inherits it. Attaching later (`strace -p`) would lose that filter and
stop every call of the run, four times as slow.
"""

import os
import re
import time

import kernel
import trace_events
import trace_lines

STRACE = "/usr/bin/strace"
#: Of one run; what a flood writes after that is lost, and said to be.
TRACE_BYTES = 8 * 1024 * 1024
STRING_BYTES = 1024
FAILED_FORK = re.compile(rb"(?m)^\d+ +(?:clone3?|v?fork)\((?![^\n]*CLONE_NEW)[^\n]* = (?:-1 E|\? )[^\n]*\n")
OUTLIVE_SECONDS = 1.0
OUTLIVE_STEP = 0.02

SYSTEM_CALLS = (
    "execve", "execveat", *sorted(trace_events.FORKS), "connect", "bind", "sendto", "sendmsg", "sendmmsg", "socket",
    "ptrace", *sorted(trace_events.MEMORY), "memfd_create", "chmod", "fchmod", "fchmodat", "fchmodat2", *trace_events.KILLS,
    *sorted(trace_events.IDENTITY), *trace_events.PRIVILEGED,
)  # fmt: skip


def is_available():
    return os.access(STRACE, os.X_OK)


def command(argv, trace):
    """
    The argv that runs a fork server's `argv` under strace, which writes to the root-only file `trace`. The process that
    execs this becomes the server itself: pid, descriptors and exit status stay the server's (`-DDD`). No effect on the
    identity: the server stays root, its forks drop everything as before (`child.become`); no_new_privs is set all along.
    """
    calls = ",".join("?" + name for name in dict.fromkeys(SYSTEM_CALLS))
    return [
        STRACE, "-DDD", "-f", "--seccomp-bpf", "-q", "-A", "-o", trace, "-s", str(STRING_BYTES), "--decode-fds=path,socket,pidfd",
        "-e", "signal=none", "-e", f"trace={calls}", *argv,
    ]  # fmt: skip


def tracer_of(pid):
    """The pid of the process that traces `pid`, or 0: a server that lost its tracer must be started anew."""
    for line in kernel.read_small(f"/proc/{pid}/status").splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    return 0


class Trace:
    """The file one server's tracer appends to."""

    def __init__(self, path):
        self.path = path
        # Nobody but root reads it; strace must find it there.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))

    def clear(self):
        """Before a run. strace appends, so it goes on at the new end."""
        os.truncate(self.path, 0)

    def size(self):
        return os.stat(self.path).st_size

    def is_flooded(self):
        """Whether the file must be emptied in the middle of a run; asked once a second or so."""
        return self.size() > TRACE_BYTES

    def read(self):
        with open(self.path, "rb") as file:
            return file.read(TRACE_BYTES)


class Watch:
    """
    The trace of all runs of one task: `begin`, then `end` for each. `sync()` must make the server call kill(its own pid, 0)
    and answer after that: strace has then written all that happened before.
    """

    def __init__(self, events, agents=(), quiet=(), executables=True):
        self.events, self.agents, self.quiet, self.executables = events, tuple(agents), tuple(quiet), executables
        self.was_cut = False
        self._parts = []

    def begin(self, trace):
        self._parts = []
        trace.clear()

    def poll(self, trace):
        """Now and then during a run, so that a flood cannot fill the disk: keeps the start, drops the rest."""
        if trace.is_flooded():
            if not self._parts:
                self._parts = [trace.read()]
            self.was_cut = True
            trace.clear()

    def end(self, trace, root, label, is_program, server, sync=None):
        """After all processes of the run are dead."""
        if sync is not None:
            sync()
        data = self._parts[0] if self._parts else trace.read()
        self._parts = []
        if len(data) >= TRACE_BYTES:
            self.was_cut = True
            data = data[: data.rfind(b"\n") + 1]
        trace.clear()
        self.take(data, root, label, is_program, (server,))

    def take(self, data, root, label, is_program=False, servers=()):
        # Those of a fork bomb are many and say nothing.
        data = FAILED_FORK.sub(b"", data)
        lines = trace_lines.Lines()
        run = trace_events.Run(root, label, is_program, (*self.agents, *servers), self.quiet, self.executables, is_folder)
        for item in lines.read(data):
            run.take(item)
        run.events_into(self.events)


def is_folder(path):
    return os.path.isdir(path) and not os.path.islink(path)


def outliving(pids, clock=time.monotonic, sleep=time.sleep):
    """
    Which processes do not end by themselves soon after their task: `pids()` gives those alive. Helpers of multiprocessing
    end some milliseconds after their parent; they are no daemons.
    """
    until = clock() + OUTLIVE_SECONDS
    while (left := [pid for pid in pids() if command_line(pid)]) and clock() < until:
        sleep(OUTLIVE_STEP)
    return left


def command_line(pid):
    """argv of a live process; empty for a zombie, a kernel thread or one that is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            data = file.read(64 * 1024)
    except OSError:
        return []
    return [part.decode("utf-8", "surrogateescape") for part in data.rstrip(b"\0").split(b"\0")] if data else []


def members(group_path):
    """Pids of a control group's members."""
    text = kernel.read_small(f"{group_path}/cgroup.procs", 64 * 1024)
    return [int(word) for word in text.split() if word.isdigit()]


def resolvers(path="/etc/resolv.conf"):
    """`host:53` of the configured name servers: asking them is what looking a name up is."""
    words = [line.split() for line in kernel.read_small(path).splitlines()]
    return [f"{word[1]}:53" for word in words if len(word) > 1 and word[0] == "nameserver"]
