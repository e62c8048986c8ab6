"""
The agent's side of the audit hook: puts it into an environment, first of all that an interpreter runs there, and reads what it
says. Its lines come from the package's own process: bounded, checked, believed only about the package itself.
"""

import functools
import hashlib
import importlib._bootstrap_external
import json
import os
import signal
import sys

import events as event_set
import trace_events

#: A name processes of a usual machine know; root's folder, so nothing can take its place.
PIPE = "/run/initctl"
PIPE_BYTES = 1024 * 1024
LINE_BYTES = 4096
RUN_BYTES = 64 * 1024 * 1024
PARTS, EVIDENCE, EVIDENCE_BYTES = 200, 200, 4096
SOURCE_BYTES = 64 * 1024
KINDS = frozenset({
    "exec", "connect", "listen", "name", "bait-read", "identity-read", "code", "native", "marshal", "hook", "process-memory",
    "make-executable", "kill", "tamper",
})  # fmt: skip
#: The lowest name a `.pth` file can have sorts before whatever else an environment brings.
NAMES = ("_virtualenv.pth", "00.pth", "\x01" * 251 + ".pth")
PTH = (
    """import sys; exec("try:\\n import _frozen_importlib_external as f\\n g = {{'__name__': '_'}}\\n """
    """for n in {config!r}, {code!r}: exec(f.SourcelessFileLoader('_', n).get_code('_'), g)\\nexcept Exception: pass")\n"""
)


def own_places(own_files, site):
    """(folders ending in `/`, single files) of a distribution's modules: whole packages, but not namespaces it shares."""
    known, folders, files = set(own_files), set(), set()
    for path in own_files:
        if not path.startswith(site + "/") or not path.endswith((".py", ".pyc", ".so", ".pth")):
            continue
        folder = site
        for part in path[len(site) + 1 :].split("/")[:-1]:
            folder = f"{folder}/{part}"
            if f"{folder}/__init__.py" in known:
                folders.add(folder + "/")
                break
        else:
            files.add(path)
    return sorted(folders), sorted(files)


def configuration(own, files, foreign, baits, protected=(), build=False, pipe=PIPE):
    """What `audit_hook.install` takes; `foreign`: site-packages and our tools; `baits`: {absolute path: id}."""
    library = {os.path.dirname(os.__file__) + "/", f"{sys.base_prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/"}
    foreign = [folder.rstrip("/") + "/" for folder in foreign]
    return {
        "pipe": pipe, "own": list(own), "files": list(files), "foreign": foreign, "library": sorted(library), "baits": dict(baits),
        "protected": list(protected), "build": build,
    }  # fmt: skip


def place(folder, name, site, config):
    """
    Writes the hook as `folder/name`, its configuration beside it (root's, readable), and the `.pth` file into `site` that runs
    them at every start of an interpreter there. Again before every task: a package may have brought a `.pth` file of its own.
    Returns the paths of the hook and of the `.pth` file. Raises OSError.
    """
    code = os.path.join(folder, name)
    # A package may have a file of such a name itself, which must stay.
    ours = {name for name in NAMES if _is_ours(f"{site}/{name}", code)}
    others = [entry for entry in _listed(site) if entry.endswith(".pth") and entry not in ours]
    pth = f"{site}/{next((name for name in NAMES if all(name < other for other in others)), NAMES[-1])}"
    settings = f"{code}.config"
    config = {**config, "protected": [*config["protected"], code, settings, pth]}
    _write(code, hook())
    _write(settings, _compiled(f"config = {config!r}"))
    for old in ours:
        os.unlink(f"{site}/{old}")
    _write(pth, PTH.format(code=code, config=settings).encode())
    return code, pth


@functools.cache
def hook():
    """The hook, compiled. It takes tens of milliseconds the first time, and is the same for all jobs."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "audit_hook.py"), encoding="utf-8") as file:
        return _compiled(f"{file.read()}\ninstall(config)\n")


def _compiled(source):
    compiled = compile(source, "<frozen site>", "exec", dont_inherit=True, optimize=2)
    return importlib._bootstrap_external._code_to_timestamp_pyc(compiled)


def _listed(site):
    try:
        return os.listdir(site)
    except FileNotFoundError:
        return []


def _is_ours(path, code):
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return repr(code).encode() in file.read(4096)
    except OSError:
        return False


def _write(path, data):
    """A fresh file of ours in a folder that may be the package's: whatever has its name goes, no link is followed."""
    if os.path.lexists(path):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, 0o644)


#: Where a program given on the command line or the standard input says it is.
COMMANDS = ("/<string>", "/<stdin>")


class AuditReader:
    """
    Owns the FIFO. Poll `fileno()` for reading during a run and call `feed()`; once more after the run's last process is dead.
    `evidence`: [(digest, frame, first bytes)] of sources, not compared.
    """

    def __init__(self, path=PIPE):
        self.path = path
        if os.path.lexists(path):
            os.unlink(path)
        os.mkfifo(path, 0o600)
        # Open for writing as well: it never ends. The package may write only.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        os.fchmod(self._descriptor, 0o222)
        self._grow()
        self.events, self.evidence = event_set.Events(), []
        self._own = lambda path: False
        self._reset()

    def _grow(self):
        import fcntl

        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass

    def _reset(self):
        self._rest, self._parts, self._taken, self._bad = b"", {}, 0, 0

    def fileno(self):
        return self._descriptor

    def begin(self, events, is_own):
        """Before a task: where its events go, and whether a path of a frame (absolute) can be the distribution's."""
        self.feed()
        self.events, self.evidence, self._own = events, [], is_own
        self._reset()

    def feed(self):
        """Reads what is there. Never waits."""
        while True:
            try:
                data = os.read(self._descriptor, 256 * 1024)
            except BlockingIOError:
                return
            self._taken += len(data)
            if self._taken <= RUN_BYTES:
                self._take(data)

    def _take(self, data):
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > LINE_BYTES:
            rest = b""
            self._bad += 1
        self._rest = rest
        for line in lines:
            if line and not self._line(line):
                self._bad += 1

    def end(self):
        """After the last process of a task: one event for all that made no sense."""
        self.feed()
        if self._bad or self._rest or self._taken > RUN_BYTES:
            self.events.add("tamper", "audit-channel")
        self._reset()

    def close(self):
        os.close(self._descriptor)
        os.unlink(self.path)

    def _line(self, line):
        """Whether a line is one the hook can have written."""
        if len(line) > LINE_BYTES:
            return False
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return False
        match row:
            case {"k": "part", "i": str(name), "d": str(data), **more} if not more:
                return self._part(name, data)
            case {"k": "code" | "marshal" as kind, "w": str(digest), "a": str(at), "i": str(name), "n": int(size), **more} if not more:
                return self._data(kind, digest, at, name, size)
            case {"k": str(kind), "w": str() | list() as what, "a": str(at), **more} if not more and kind in KINDS - {"code", "marshal"}:
                words = _words(kind, what)
                if words is None or not self._is_spot(at):
                    return False
                self.events.add(kind, words, at=at)
                return True
        return False

    def _is_spot(self, at):
        path, _, line = at.rpartition(":")
        known = path in COMMANDS or (path.startswith("/") and bool(self._own(path)))
        return known and line.isascii() and line.isdigit() and len(line) < 9

    def _part(self, name, data):
        parts = self._parts.get(name, b"")
        try:
            parts += bytes.fromhex(data)
        except ValueError:
            return False
        if len(parts) > SOURCE_BYTES or (name not in self._parts and len(self._parts) >= PARTS):
            return False
        self._parts[name] = parts
        return True

    def _data(self, kind, digest, at, name, size):
        data = self._parts.pop(name, b"")
        if len(data) != size or not self._is_spot(at):
            return False
        if digest == "" and kind == "code":
            digest = event_set.source_digest(data)
        if len(digest) != 64 or digest.strip("0123456789abcdef"):
            return False
        self.events.add(kind, digest, at=at)
        if data and len(self.evidence) < EVIDENCE and digest not in {known for known, _, _ in self.evidence}:
            self.evidence.append((digest, event_set.normalise(at), data[:EVIDENCE_BYTES]))
        return True


def evidence_text(evidence):
    """The attachment `logs/evidence-TASK.txt`: bytes, sorted, each piece under its digest and frame."""
    pieces = []
    for digest, at, data in sorted(evidence):
        head = f"== {digest} {at} {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}\n"
        pieces.append(head.encode("utf-8", "backslashreplace") + data + b"\n")
    return b"".join(pieces)


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRT{number}"


def _words(kind, what):
    if isinstance(what, str):
        if kind == "kill":
            number, _, target = what.partition(" ")
            known = number.isascii() and number.isdigit() and len(number) < 3 and target in ("agent", "all")
            return f"{_signal_name(int(number))} {target}" if known else None
        return what if kind not in ("exec", "connect", "listen") else None
    if not all(isinstance(part, str) for part in what) or not what:
        return None
    if kind == "exec":
        return trace_events.command_words(what)
    match what:
        case ["unix", path] if kind in ("connect", "listen"):
            return f"unix {path}"
        case ["tcp" | "udp" | "ip" as protocol, host, port] if kind in ("connect", "listen") and port.isascii() and port.isdigit() and len(port) < 6:
            return trace_events.address_words(protocol, host, int(port))
    return None
