"""What the calls of a trace mean: the processes of one run, who started whom, and the events of src/wire that follow."""

import re
import shlex

import trace_lines
from trace_lines import End

ARGUMENT = 300
ARGUMENTS = 40
OWN_IDS = frozenset({"1000", "-1"})
FORKS = frozenset({"clone", "clone3", "fork", "vfork"})
IDENTITY = frozenset({"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups"})
MEMORY = frozenset({"process_vm_readv", "process_vm_writev", "pidfd_getfd", "process_madvise", "kcmp"})
KILLS = {"kill": 0, "tkill": 0, "tgkill": 0, "pidfd_send_signal": 0, "rt_sigqueueinfo": 0, "rt_tgsigqueueinfo": 0}
PRIVILEGED = (
    "capset", "mount", "umount2", "pivot_root", "chroot", "fsopen", "fsmount", "move_mount", "open_tree", "unshare", "setns", "init_module",
    "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
    "keyctl", "add_key", "request_key", "reboot", "swapon", "swapoff", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "syslog",
    "sethostname", "setdomainname", "iopl", "ioperm", "mknod", "mknodat", "acct", "quotactl", "open_by_handle_at", "fanotify_init",
)  # fmt: skip
#: Sockets that are no way to talk to a peer over a usual protocol; what looks names up opens a netlink one.
PLAIN_FAMILIES = frozenset({"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_UNSPEC"})
#: libc asks it for every user and host name.
QUIET_SOCKETS = frozenset({"/var/run/nscd/socket", "/run/nscd/socket"})
LOOPBACK = re.compile(r"localhost$|127\.|::1$|0\.0\.0\.0$|::$|::ffff:127\.")
#: Loopback ports from here on are what a test was given, but for the services that live there.
FREE_PORTS, SERVICES = 10_240, frozenset({11211, 11434, 15672, 27017})

_IPV4 = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([0-9.]{7,15})"\)')
_IPV6 = re.compile(r'sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([0-9a-fA-F:.]+)"')
_UNIX = re.compile(r'sun_path=(@?)("(?:[^"\\]|\\.)*")')
_PATH_NOTE = re.compile(r"(?:-?\d+|AT_FDCWD)<(.*)>", re.S)
_PIDFD_NOTE = re.compile(r"\d+<pid:(\d+)>")
_OCTAL = re.compile(r"0[0-7]*")
_FLAG = re.compile(r"CLONE_NEW[A-Z]+")


def address_words(protocol, host, port):
    """`tcp 192.0.2.1:443`; a loopback port somebody was given is no port to compare."""
    free = LOOPBACK.match(host) and (port == 0 or port >= FREE_PORTS) and port not in SERVICES
    return f"{protocol} {f'[{host}]' if ':' in host else host}:{'{port}' if free else port}"


def command_words(argv):
    """An argv as one would type it, each part bounded."""
    shown = [part if len(part) <= ARGUMENT else part[:ARGUMENT] + "…" for part in argv[:ARGUMENTS]]
    return " ".join([shlex.quote(part) if part else "''" for part in shown] + (["…"] if len(argv) > ARGUMENTS else []))


class _Image:
    """What a process runs: an argv's words, or what it was forked from."""

    __slots__ = ("argv", "before")

    def __init__(self, argv=None, before=None):
        self.argv, self.before = argv, before

    def words(self):
        image = self
        for _ in range(1000):
            if image is None or image.argv is not None:
                break
            image = image.before
        return None if image is None or image.argv is None else command_words(image.argv[:3])[:200]


class _Process:
    __slots__ = ("image", "first", "missing")

    def __init__(self, image):
        self.image = self.first = image
        self.missing = None


class Run:
    """
    One run below a fork server: `root` is the fork's pid, `label` what it does (`pip`, `import`), `is_program` whether its first
    exec is the run itself. `agents`: pids of the agent, the server, the tracer; `quiet`: socket paths of ours and
    `host:port` of the resolvers; `executables`: whether making a file executable is to be told (no news in a build);
    `is_folder(path)` tells a folder's search bit from an executable's.
    """

    def __init__(self, root, label, is_program=False, agents=(), quiet=(), executables=True, is_folder=lambda path: False):
        self.root, self.is_program = root, is_program
        self.agents, self.quiet = frozenset(agents), QUIET_SOCKETS | frozenset(quiet)
        self.executables, self.is_folder = executables, is_folder
        self.has_begun = False
        self._processes = {root: _Process(_Image([label]))}
        self._ended = {}
        self._seen = {root}
        self._found = {}

    def take(self, item):
        """One Call or End of the trace, in order."""
        if item.pid in self.agents and item.pid != self.root:
            return
        process = self._processes.get(item.pid)
        if process is None:
            # Its first call may be told before its parent's fork is.
            process = self._processes[item.pid] = _Process(_Image())
            self._seen.add(item.pid)
        if isinstance(item, End):
            self._end(process, item)
        elif item.pid == self.root and not self.has_begun:
            # What the agent's own code does in the fork ends with the identity.
            self.has_begun = item.name == "setresuid" and item.error is None
        elif item.name in FORKS:
            self._fork(process, item)
        elif item.name in ("execve", "execveat"):
            self._exec(process, item)
        else:
            self._other(process, item)

    def events_into(self, events):
        """Adds everything to an `Events`, once the trace is at its end."""
        for process in self._processes.values():
            self._miss(process)
        for (kind, what, image), times in self._found.items():
            events.add(kind, what, by=image.words(), times=times)
        events.know_pids(self._seen)

    def _note(self, kind, what, image):
        if len(self._found) < 50_000 or (kind, what, image) in self._found:
            self._found[kind, what, image] = self._found.get((kind, what, image), 0) + 1

    def _end(self, process, end):
        if end.heir is not None:
            self._processes[end.pid] = self._processes.pop(end.heir, process)
            return
        self._miss(process)
        self._processes.pop(end.pid, None)
        if process.first.argv is None and process.first.before is None and len(self._ended) < 10_000:
            self._ended[end.pid] = process

    def _fork(self, process, call):
        flags = " ".join(call.arguments)
        for name in sorted(set(_FLAG.findall(flags))):
            self._note("privilege", f"{call.name} {name}", process.image)
        if call.result is None or call.result <= 0:
            return
        self._seen.add(call.result)
        child = self._ended.pop(call.result, None) or self._processes.get(call.result)
        if "CLONE_THREAD" in flags:
            if child is not None and child is not process:
                child.first.before = process.image
            if child is None or child is self._processes.get(call.result):
                self._processes[call.result] = process
        elif child is None:
            self._processes[call.result] = _Process(_Image(before=process.image))
        elif child.first.argv is None and child.first.before is None:
            child.first.before = process.image

    def _exec(self, process, call):
        position = 1 if call.name == "execve" else 2
        argv = trace_lines.strings(call.arguments[position]) if len(call.arguments) > position else None
        if argv is None:
            return
        if not argv or not argv[0]:
            argv = [trace_lines.string(call.arguments[position - 1]) or "?", *argv[1:]]
        if call.error is not None:
            # A search along PATH fails until it finds; only what never started is told.
            process.missing = argv
            return
        process.missing = None
        if self.is_program and call.pid == self.root:
            self.is_program = False
            process.image = _Image(argv)
            return
        self._note("exec", command_words(argv), process.image)
        process.image = _Image(argv, process.image)

    def _miss(self, process):
        if process.missing is not None:
            self._note("exec", f"{command_words(process.missing)} [not started]", process.image)
            process.missing = None

    def _other(self, process, call):
        name, arguments, image = call.name, call.arguments, process.image
        if name in KILLS:
            self._kill(call, image)
        elif name in ("connect", "bind", "sendto", "sendmsg", "sendmmsg"):
            self._network(call, image)
        elif name in ("chmod", "fchmod", "fchmodat", "fchmodat2"):
            self._executable(call, image)
        elif name == "memfd_create":
            self._note("memory-file", _first_string(arguments), image)
        elif name == "ptrace":
            self._note("process-memory", f"ptrace {arguments[0] if arguments else ''}".strip(), image)
            self._tamper(call, image, 1)
        elif name in MEMORY:
            self._note("process-memory", name, image)
            self._tamper(call, image, 0)
        elif name == "socket":
            family, kind = (*arguments, "", "")[:2]
            if family not in PLAIN_FAMILIES or ("SOCK_RAW" in kind and family != "AF_NETLINK"):
                self._note("privilege", f"socket {family} {kind.split('|')[0]}".strip(), image)
        elif name in IDENTITY:
            if not set(arguments) <= OWN_IDS:
                self._note("privilege", f"{name} {' '.join(arguments)}", image)
        elif name in PRIVILEGED:
            self._note("privilege", name, image)

    def _tamper(self, call, image, position):
        target = _number(call.arguments, position)
        if target in self.agents or target == 1:
            self._note("tamper", f"{call.name} agent", image)

    def _kill(self, call, image):
        arguments = call.arguments
        pidfd = _PIDFD_NOTE.match(arguments[0]) if arguments else None
        target = int(pidfd[1]) if pidfd else _number(arguments, 0)
        position = 2 if call.name in ("tgkill", "rt_tgsigqueueinfo") else 1
        signal = arguments[position] if len(arguments) > position else "?"
        if target is None or signal == "0" or target == 0 or (abs(target) in self._seen and target != -1):
            return
        where = "all" if target == -1 else "agent" if target == 1 or abs(target) in self.agents else "other"
        self._note("kill", f"{signal} {where}", image)
        if where == "agent":
            self._note("tamper", f"{call.name} agent", image)

    def _network(self, call, image):
        arguments = call.arguments
        note = arguments[0] if arguments else ""
        # sendto(2) has one address, sendmsg(2) one per message; a connected socket has none.
        start = 4 if call.name == "sendto" else 1
        for words in _addresses(note, " ".join(arguments[start : start + 1]), call.name == "bind"):
            if not self._is_quiet(words):
                self._note("listen" if call.name == "bind" else "connect", words, image)

    def _is_quiet(self, words):
        return words.split(" ", 1)[1] in self.quiet

    def _executable(self, call, image):
        arguments = call.arguments
        if not self.executables:
            return
        position = 0 if call.name in ("chmod", "fchmod") else 1
        if len(arguments) <= position + 1 or not _OCTAL.fullmatch(arguments[position + 1]):
            return
        if not int(arguments[position + 1], 8) & 0o111 or call.error is not None:
            return
        note = _PATH_NOTE.fullmatch(arguments[0])
        if call.name == "fchmod":
            path = trace_lines.string(f'"{note[1]}"') if note else None
        else:
            path = trace_lines.string(arguments[position])
            if path and not path.startswith("/") and note:
                path = f"{trace_lines.string(chr(34) + note[1] + chr(34))}/{path}"
        if path and not self.is_folder(path):
            self._note("make-executable", path, image)


def _addresses(note, shown, is_bind):
    """What an address of a call says, as words; several for sendmmsg."""
    protocol = "udp" if "<UDP" in note else "tcp" if "<TCP" in note else "icmp" if "<PING" in note or "<RAW" in note else "ip"
    for pattern in (_IPV4, _IPV6):
        for port, host in pattern.findall(shown):
            # Port 0 of a datagram socket is libc asking for its own address.
            if is_bind or port != "0":
                yield address_words(protocol, host, int(port))
    for abstract, quoted in _UNIX.findall(shown):
        yield f"unix {abstract}{trace_lines.string(quoted)}"


def _first_string(arguments):
    return (trace_lines.string(arguments[0]) if arguments else None) or "''"


def _number(arguments, position):
    try:
        return int(arguments[position])
    except (IndexError, ValueError):
        return None
