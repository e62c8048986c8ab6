"""
What happens in a new process between the fork and the work: everything privileged first, then the identity. Few imports:
what is loaded here is loaded in the processes modules of a package are imported in.
"""

import fcntl
import os
import resource
import signal
import sys

import kernel

UID = GID = 1000
FILE_BYTES = 2 * 1024**3
OPEN_FILES = 1024
LOCKED_BYTES = 64 * 1024
SIGNALS = tuple(number for number in range(1, 65) if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33))


class Launch:
    """How a run is to start. `output`, `result`: descriptors; `group`: path of its control group; plain values otherwise."""

    def __init__(self, cwd, env, processes, memory_bytes, as_user, group, group_limits_memory, output, result):
        self.cwd, self.env = cwd, env
        self.processes, self.memory_bytes = processes, memory_bytes
        self.as_user = as_user
        self.group, self.group_limits_memory = group, group_limits_memory
        self.output, self.result = output, result


def become(launch, quiet_pipe):
    """
    Makes the calling process a run's own: descriptors 0 to 2 and perhaps 3 and no other, a session, limits, the user without
    any capability. `quiet_pipe`: SIGPIPE as Python sets it, else as a program expects it. Raises OSError.
    """
    null = os.open("/dev/null", os.O_RDONLY)
    # Both pipes may sit on 1 to 3 themselves: move them out of the way first.
    output = fcntl.fcntl(launch.output, fcntl.F_DUPFD, 10)
    result = fcntl.fcntl(launch.result, fcntl.F_DUPFD, 10) if launch.result is not None else None
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if result is not None:
        os.dup2(result, 3)
    os.closerange(4 if result is not None else 3, 65536)
    os.setsid()
    if launch.group is not None and not kernel.write_small(f"{launch.group}/cgroup.procs", "0"):
        raise OSError("cannot enter the control group")
    kernel.write_small("/proc/self/oom_score_adj", "1000")
    _set_limits(launch)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN if quiet_pipe else signal.SIG_DFL)
    os.umask(0o022)
    if launch.as_user:
        kernel.drop_capabilities()
        os.setgroups([])
        os.setresgid(GID, GID, GID)
        os.setresuid(UID, UID, UID)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.refuse_io_uring()
    os.chdir(launch.cwd)


def execute(argv, launch):
    """Never returns."""
    try:
        become(launch, quiet_pipe=False)
        os.execve(argv[0], argv, launch.env)
    except BaseException:
        _complain()
    os._exit(127)


def call(function, launch):
    """Never returns. `function` gives the exit status, or bytes for descriptor 3."""
    status = 127
    try:
        become(launch, quiet_pipe=True)
        os.environ.clear()
        os.environ.update(launch.env)
        status = 1
        answer = function()
        if isinstance(answer, bytes) and launch.result is not None:
            view = memoryview(answer)
            while view:
                view = view[os.write(3, view) :]
        status = answer if isinstance(answer, int) else 0
    except BaseException:
        _complain()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            status = status or 1
    os._exit(status)


def _complain():
    import traceback

    traceback.print_exc()
    sys.stderr.flush()


def _set_limits(launch):
    def cap(kind, value):
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            pass

    cap(resource.RLIMIT_CORE, 0)
    cap(resource.RLIMIT_NOFILE, OPEN_FILES)
    cap(resource.RLIMIT_FSIZE, FILE_BYTES)
    cap(resource.RLIMIT_MEMLOCK, LOCKED_BYTES)
    cap(resource.RLIMIT_NPROC, launch.processes)
    if not launch.group_limits_memory:
        cap(resource.RLIMIT_DATA, launch.memory_bytes)
