"""
Fork servers for our own tools: starting pip or pylint costs a slow guest a second, forking one that is loaded does not.
A server is root's, has no channel to the host, and only ever loads the image's code; each run is a fork of it that becomes
the unprivileged user before it touches anything of a package.
"""

import array
import json
import os
import resource
import socket
from dataclasses import dataclass

import environment_variables
import layout
import sandboxed
import tracer

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fork_server.py")
REPLY_BYTES = 4096
REQUEST_BYTES = 64 * 1024
#: Descriptor of a server's socket: not one of those a run gets.
SOCKET = 10
LOAD_SECONDS = 120.0
#: Exit status of what could not be started, as of a shell.
NOT_STARTED = 127
#: The linters belong to the image; the others take the place of a virtual environment's interpreter, so no `site` yet.
BARE = ["-s", "-S", "-P", "-B"]
OPTIONS = {"pip": BARE, "lint": ["-s", "-P", "-B"], "import": BARE, "program": BARE}
#: What can be loaded before the job is known.
READY = ("pip", "lint", "program")
#: Those whose forks run code of packages.
TRACED = ("pip", "import", "program")
#: Root's only (guest/init).
TRACES = "/run/pyti/traces"

_servers = {}
_untraceable = set()


class ServerLost(Exception):
    """A server ended or said what it never says."""


class RequestTooLong(Exception):
    """Package code or its files made an argument longer than a server takes."""


@dataclass(frozen=True)
class Run:
    """One run of a tool, `work` of `sandboxed.run`: `arguments` as the tool's `run` takes them."""

    kind: str
    arguments: dict
    hash_seed: int = environment_variables.TOOLS_HASH_SEED

    def launch(self, launch, log):
        try:
            return _Forked(server(self.kind, self.hash_seed), self, launch)
        except (ServerLost, OSError) as problem:
            log.note(f"the {self.kind} server had to be started again: {problem}")
            discard(self.kind)
            return _Forked(server(self.kind, self.hash_seed), self, launch)
        except RequestTooLong as problem:
            # A run that does not start is the package's failure; one outside the server would not be watched.
            log.note(str(problem))
            return sandboxed.Own(lambda: NOT_STARTED, launch)


def warm():
    """Loads every tool that is the same for all jobs."""
    for kind in READY:
        server(kind)


def server(kind, hash_seed=environment_variables.TOOLS_HASH_SEED):
    """The running server for a kind of tool, started when there is none. Raises ServerLost."""
    if kind not in _servers:
        _servers[kind] = _start(kind, environment_variables.of_tools(hash_seed))
    return _servers[kind]


def is_traced():
    """Whether every server that should have a tracer could be given one so far."""
    return tracer.is_available() and not _untraceable


def _start(kind, env):
    if kind in TRACED and is_traced():
        try:
            return _start_traced(kind, env)
        except (ServerLost, OSError):
            # A kernel that does not let strace work: the job is done without, and the record says so.
            _untraceable.add(kind)
    return _Server(kind, command(kind), env)


def _start_traced(kind, env):
    os.makedirs(TRACES, mode=0o700, exist_ok=True)
    trace = tracer.Trace(f"{TRACES}/{kind}")
    server = _Server(kind, tracer.command(command(kind), trace.path), env)
    server.trace, server.tracer = trace, tracer.tracer_of(server.pid)
    if not server.tracer:
        server.end()
        raise ServerLost("it has no tracer")
    return server


def command(kind):
    return [layout.SYSTEM_PYTHON, *OPTIONS[kind], SERVER, kind]


def discard(kind):
    """Ends a server; the next run starts another."""
    old = _servers.pop(kind, None)
    if old is not None:
        old.end()


class _Server:
    #: Of a traced server: the file its tracer writes to, and the tracer's pid.
    trace = tracer = None

    def __init__(self, kind, argv, env):
        self.socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # What a hung server would cost: it runs our code only, but a lost guest says less than a late one.
        self.socket.settimeout(LOAD_SECONDS)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        actions = [
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, null, 1),
            (os.POSIX_SPAWN_DUP2, other.fileno(), SOCKET),
        ]
        self.pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
        os.close(null)
        other.close()
        try:
            if self.receive() != {"ready": kind}:
                raise ServerLost("it did not load")
        except ServerLost:
            self.end()
            raise

    def send(self, value, descriptors=()):
        data = json.dumps(value).encode()
        if len(data) > REQUEST_BYTES:
            raise RequestTooLong(f"a request of {len(data)} bytes is too long for a tool")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self.socket.sendmsg([data], rights)
        except OSError as problem:
            raise ServerLost(str(problem)) from problem

    def receive(self):
        try:
            return json.loads(self.socket.recv(REPLY_BYTES))
        except (OSError, ValueError) as problem:
            raise ServerLost(str(problem)) from problem

    def sync(self):
        """Once this returns, the trace has all that happened before. Raises ServerLost."""
        self.send({"sync": True})
        if self.receive() != {}:
            raise ServerLost("it did not answer")

    def end(self):
        self.socket.close()
        try:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


class _Forked:
    """A run that is a server's child: the server waits for it, when told to, so its pid stays its own until then."""

    def __init__(self, server, run, launch):
        self._server, self._kind = server, run.kind
        descriptors = [launch.output] + ([launch.result] if launch.result is not None else [])
        server.send({"arguments": run.arguments, "launch": vars(launch)}, descriptors)
        answer = server.receive()
        if set(answer) != {"pid"}:
            raise ServerLost("it did not fork")
        self.pid = answer["pid"]

    def wait(self):
        """(status, rusage) once it has ended."""
        try:
            self._server.send({"wait": self.pid})
            answer = self._server.receive()
            return answer["status"], resource.struct_rusage(answer["usage"])
        except ServerLost:
            discard(self._kind)
            # The agent is a subreaper: what a lost server leaves is its own child now.
            return os.wait4(self.pid, 0)[1:]
