"""
A PEP 578 hook inside a package's own interpreter: says on a pipe what the distribution's code does, with the frame that did it.
It is the first thing of an environment (`audit_reader.place`) and changes nothing: no module is left behind but built-in ones, no
descriptor stays open, nothing it caused is raised, a full pipe is waited for only so long. What it says is the package's own word.
"""

import builtins
import posix
import sys
import time
from _thread import get_ident

#: `sys.audit` with this word: asks whether a hook is there (a list to append to), or for the last look before the end.
WORD = "site.settled"
LINE_BYTES, PART_BYTES = 4096, 1800
SOURCE_LEAST, SOURCE_WHOLE, SOURCE_START = 40, 32 * 1024, 4096
RECORDS, SAME, WAIT_SECONDS = 4000, 12, 2.0
#: Of sources per process. What goes beyond is known by its plain digest: one that holds the time then differs from run to run.
EVIDENCE_BYTES = 8 * 1024 * 1024
FRAMES, PLACES = 400, 4000
OWN, LIBRARY, SYNTHETIC, FOREIGN = 1, 0, 2, -1
#: They compile what they are given: the one who gave it is meant.
PASSING = ("code.py", "codeop.py", "runpy.py", "timeit.py", "bdb.py", "cProfile.py", "profile.py", "trace.py", "pdb.py")
FROZEN_PASSING = ("<frozen importlib", "<frozen runpy>", "<frozen codeop>")
IDENTITY = (
    "/proc/cpuinfo", "/proc/version", "/proc/1/", "/proc/modules", "/proc/scsi", "/proc/xen", "/proc/device-tree", "/proc/ioports", "/proc/bus/pci",
    "/proc/self/status", "/proc/self/cgroup", "/proc/self/mountinfo", "/proc/self/mounts", "/proc/mounts", "/proc/cmdline", "/proc/uptime",
    "/sys/class/dmi", "/sys/devices/virtual/dmi", "/sys/hypervisor", "/sys/firmware", "/sys/bus/virtio", "/sys/bus/pci", "/sys/block",
    "/.dockerenv", "/run/.containerenv", "/dev/kvm", "/etc/pyti-guest", "/etc/machine-id", "/sys/class/net",
)  # fmt: skip
#: The machine's disks, lines and memory, and the agent: no package has business there.
AGENTS = ("/dev/vd", "/dev/ubd", "/dev/ttyS", "/dev/hvc", "/dev/mem", "/dev/port", "/run/pyti", "/work/agent", "/proc/1/mem")
FIRST = frozenset({"/proc", "/sys/", "/.doc", "/run/", "/dev/", "/etc/"})
#: Where some put their own functions in place of what was there.
PATCHED = {
    "socket": ("socket", "getaddrinfo", "create_connection"), "ssl": ("SSLContext", "create_default_context"), "subprocess": ("Popen", "run"),
    "os": ("system", "execve", "fork", "getenv"), "importlib": ("import_module", "reload"), "http.client": ("HTTPConnection", "HTTPSConnection"),
    "urllib.request": ("urlopen", "Request"), "requests.sessions": ("Session",), "requests.api": ("request", "get", "post"), "getpass": ("getpass",),
}  # fmt: skip
ESCAPES = {number: f"\\u{number:04x}" for number in range(32)} | {34: '\\"', 92: "\\\\", 127: "\\u007f"}
COMMANDS = ("<string>", "<stdin>")


def install(config):
    """
    `config`: `pipe` (path of a FIFO), `own` (folders, ending in `/`), `files` (single ones), `foreign` (folders of other
    distributions and of our tools), `library` (folders of the standard library), `baits` {path: id}, `protected` (paths of ours),
    `build` (making a file executable is nothing there). At most once per process.
    """
    there = []
    sys.audit(WORD, there)
    if there:
        return
    own, files, pipe = tuple(config["own"]), frozenset(config["files"]), config["pipe"]
    foreign, library = tuple(config["foreign"]), (*config["library"], f"{sys._stdlib_dir}/")
    baits, protected = config["baits"], frozenset(config["protected"])
    bait_names = frozenset(path.rsplit("/", 1)[-1] for path in baits)
    places, sent, busy = {}, {}, set()
    spent = {"records": 0, "evidence": 0, "waited": 0.0, "number": 0, "lost": 0}
    first_builtins = dict(vars(builtins))
    first_finders = list(sys.meta_path), list(sys.path_hooks)
    modules, monotonic, sleep, getframe = sys.modules, time.monotonic, time.sleep, sys._getframe

    def place_of(name):
        found = places.get(name)
        if found is None:
            if name[:8] == "<frozen ":
                found = LIBRARY
            elif name[:1] == "<":
                found = SYNTHETIC
            elif name in files or name.startswith(own):
                found = OWN
            elif name.startswith(foreign):
                found = FOREIGN
            # A file of nobody: only the distribution can have made it.
            else:
                found = LIBRARY if name.startswith(library) else OWN
            if len(places) < PLACES:
                places[name] = found
        return found

    def file_at(frame):
        """A frame's file; a setup.py run as a string knows where it is from, and `site` where a line of a `.pth` file is."""
        name, back = frame.f_code.co_filename, frame.f_back
        if name == "<string>":
            is_pth = back is not None and back.f_code.co_name == "addpackage"
            known = back.f_locals.get("fullname") if is_pth else frame.f_globals.get("__file__")
            return known if type(known) is str and known.endswith(("setup.py", ".pth")) else name
        return name

    def nearest(frame, others=False):
        """The distribution's innermost frame with no other distribution's code between; `others`: only none that they import."""
        passed = False
        for _ in range(FRAMES):
            if frame is None:
                return None
            name = file_at(frame)
            found = place_of(name)
            if found == OWN:
                return frame
            passed = passed or found == FOREIGN
            if passed and (not others or name.startswith("<frozen importlib")):
                return None
            frame = frame.f_back

    through = lambda frame: nearest(frame, True)  # noqa: E731

    def direct(frame):
        """The distribution's frame, when it itself compiles: not what the standard library generates for it."""
        for _ in range(FRAMES):
            if frame is None:
                return None
            name = file_at(frame)
            found = place_of(name)
            # What a child interpreter was given on its command line is nobody's but the distribution's.
            if found == OWN or (name in COMMANDS and frame.f_back is None and frame.f_globals.get("__name__") == "__main__"):
                return frame
            passing = name.startswith(FROZEN_PASSING) or name.rsplit("/", 1)[-1] in PASSING
            if found == FOREIGN or (found == LIBRARY and not passing):
                return None
            frame = frame.f_back

    def spot(frame):
        name = file_at(frame)
        return f"{'' if name[:1] == '/' else '/' if name in COMMANDS else posix.getcwd() + '/'}{name}:{frame.f_lineno}"

    def quoted(value):
        if isinstance(value, list):
            return "[" + ",".join(map(quoted, value)) + "]"
        return '"' + value.translate(ESCAPES) + '"' if isinstance(value, str) else str(value)

    def write(fields):
        line = "\n{" + ",".join(f'"{key}":{quoted(value)}' for key, value in fields.items()) + "}\n"
        data = line.encode("utf-8", "backslashreplace")
        if len(data) > LINE_BYTES:
            return False
        # No descriptor is kept: programs close or reuse any they find.
        descriptor = posix.open(pipe, posix.O_WRONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
        try:
            while True:
                try:
                    posix.write(descriptor, data)
                    return True
                except BlockingIOError:
                    if spent["waited"] > WAIT_SECONDS:
                        spent["lost"] += 1
                        return False
                    before = monotonic()
                    sleep(0.002)
                    spent["waited"] += monotonic() - before
        finally:
            posix.close(descriptor)

    def send(kind, what, at, most=SAME, **more):
        key = (kind, what if isinstance(what, str) else tuple(what), at, more.get("n"))
        times = sent.get(key, 0)
        if times >= most or spent["records"] >= RECORDS:
            return
        sent[key] = times + 1
        spent["records"] += 1
        write({"k": kind, "w": what, "a": at, **more})

    def send_data(kind, data, at):
        """A source or marshalled code: its digest, and as much of itself as evidence needs."""
        key = (kind, len(data), hash(data), at)
        if key in sent or spent["records"] >= RECORDS:
            return
        sent[key] = 1
        whole = kind == "code" and len(data) <= SOURCE_WHOLE
        part = data if whole else data[:SOURCE_START]
        if spent["evidence"] + len(part) > EVIDENCE_BYTES:
            whole, part = False, b""
        spent["evidence"] += len(part)
        spent["number"] += 1
        name = f"{posix.getpid()}.{spent['number']}"
        for start in range(0, len(part), PART_BYTES):
            write({"k": "part", "i": name, "d": part[start : start + PART_BYTES].hex()})
        # Every one is another: of many that are as long as each other, none is left out.
        send(kind, "" if whole else digest(data), at, RECORDS, i=name, n=len(part))

    def digest(data):
        try:
            from _sha2 import sha256
        except ImportError:
            from _sha256 import sha256
        return sha256(data).hexdigest()

    def text(value):
        if isinstance(value, bytes):
            return value[:2000].decode("utf-8", "surrogateescape")
        return value[:2000] if isinstance(value, str) else None

    def full(path):
        """A path as text, absolute; None when it is none."""
        path = text(path if type(path) in (str, bytes) else posix.fspath(path) if hasattr(path, "__fspath__") else None)
        if not path:
            return None
        parts = []
        for part in (path if path[:1] == "/" else f"{posix.getcwd()}/{path}").split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def on_compile(args, frame):
        source, filename = args[0], args[1]
        if type(filename) is not str or type(source) not in (str, bytes) or len(source) < SOURCE_LEAST:
            return
        made_up = filename[:1] == "<"
        # An import: by far the most common.
        if not made_up and frame.f_code.co_filename.startswith("<frozen importlib"):
            return
        frame = direct(frame)
        if frame is None:
            return
        if not made_up:
            try:
                posix.stat(filename)
                return
            except (OSError, ValueError):
                pass
        send_data("code", source if type(source) is bytes else source.encode("utf-8", "surrogatepass"), spot(frame))

    def on_marshal(args, frame):
        data, importing = bytes(args[0]), frame.f_code.co_filename.startswith("<frozen importlib")
        # Plain data is marshalled too: only a code object can act (its type is the low seven bits of the first byte).
        if not importing and data[:1] and data[0] & 0x7F == ord("c") and (frame := direct(frame)) is not None:
            send_data("marshal", data, spot(frame))

    def on_native(args, frame):
        name = text(args[0])
        # The program itself, libc with it: what importing `ctypes` opens is for its own use.
        frame = through(frame) if name else frame.f_back
        if frame is not None and place_of(file_at(frame)) == OWN:
            send("native", name or "program", spot(frame))

    def on_import(args, frame):
        if args[0] == "_cffi_backend" and (frame := nearest(frame)) is not None:
            send("native", "cffi", spot(frame))

    def start(argv, frame):
        if (frame := through(frame)) is not None:
            parts = [text(part if type(part) in (str, bytes) else posix.fspath(part)) for part in list(argv)[:41]]
            room = LINE_BYTES // 3
            kept = []
            for part in parts:
                kept.append(part[: min(room, 400)])
                room -= min(room, len(kept[-1]))
            send("exec", kept, spot(frame))

    def on_popen(args, frame):
        argv = args[1]
        start([argv] if isinstance(argv, (str, bytes)) or hasattr(argv, "__fspath__") else argv, frame)

    def on_path_exec(args, frame):
        start(args[1], frame)

    def on_system(args, frame):
        start(["sh", "-c", args[0]], frame)

    def network(kind):
        def on_address(args, frame):
            sock, address = args[0], args[1]
            family = getattr(sock, "family", 0)
            if family == 1 and isinstance(address, (str, bytes)):
                words = ["unix", text(address).replace("\0", "@")]
            elif family in (2, 10) and isinstance(address, tuple) and isinstance(address[1], int):
                words = [{1: "tcp", 2: "udp"}.get(sock.type & 15, "ip"), text(address[0]) or "0.0.0.0", str(address[1])]
            else:
                return
            if (frame := through(frame)) is not None:
                send(kind, words, spot(frame))

        return on_address

    def on_name(args, frame):
        name = text(args[0])
        if not name or name == "localhost" or ":" in name or not name.strip("0123456789."):
            return
        if (frame := through(frame)) is not None:
            send("name", name, spot(frame))

    def word(kind, what, find):
        def on_word(args, frame):
            # Switching a hook off is no sign of anything.
            if (not args or args[0] is not None) and (frame := find(frame)) is not None:
                send(kind, what, spot(frame))

        return on_word

    def on_open(args, frame):
        path = args[0]
        if type(path) is not str:
            path = text(path if type(path) is bytes else posix.fspath(path) if hasattr(path, "__fspath__") else None) or ""
        if path[:5] in FIRST or path.rsplit("/", 1)[-1] in bait_names or path in protected or path == pipe or path[:11] == "/work/agent":
            seen(full(path), args, frame)

    def seen(path, args, frame):
        if path is None:
            return
        if path == pipe or (path in protected and len(args) > 2 and args[2] & 3):
            kind, what = "tamper", "audit-channel"
        elif path in baits:
            kind, what = "bait-read", baits[path]
        elif path.startswith(AGENTS):
            kind, what = "tamper", path
        elif path.startswith("/proc/") and path.endswith("/mem"):
            kind, what = "process-memory", "/proc/{pid}/mem"
        else:
            path = path.replace(f"/proc/{posix.getpid()}/", "/proc/self/", 1)
            kind, what = "identity-read", path
            if not path.startswith(IDENTITY):
                return
        if (frame := through(frame)) is not None:
            send(kind, what, spot(frame))

    def on_change(args, frame):
        for path in args[:2]:
            if type(path) in (str, bytes) and (path in protected or full(path) in protected) and (frame := nearest(frame)) is not None:
                return send("tamper", "audit-files", spot(frame))

    def on_chmod(args, frame):
        on_change(args, frame)
        path, mode = args[0], args[1]
        if config["build"] or not mode & 0o111 or (frame := through(frame)) is None:
            return
        if posix.stat(path).st_mode & 0o170000 == 0o100000:
            send("make-executable", text(path) or full(path) or "descriptor", spot(frame))

    def on_kill(args, frame):
        pid, number = args[0], args[1]
        if pid not in (1, -1) or not number or (frame := through(frame)) is None:
            return
        send("kill", f"{number} {'agent' if pid == 1 else 'all'}", spot(frame))

    def on_set(args, frame):
        if args[0] is hook or args[0] is hook.__code__:
            send("tamper", "audit-hook", spot(through(frame) or frame))

    def on_word(args, _):
        if args and type(args[0]) is list:
            args[0].append(True)
        else:
            finish()

    def file_of(value):
        """(file, line) of the code behind a function, a class or an object, when the distribution's."""
        code = getattr(value, "__code__", None)
        module = modules.get(getattr(value if isinstance(value, type) or code else type(value), "__module__", None))
        name = code.co_filename if code else getattr(module, "__file__", None)
        if isinstance(name, str) and name[:1] == "/" and place_of(name) == OWN:
            return f"{name}:{code.co_firstlineno if code else 1}"
        return None

    def finish():
        """What is only seen at the end: finders, and functions put in place of others'."""
        found = [("sys.meta_path", finder) for finder in sys.meta_path if finder not in first_finders[0]]
        found += [("sys.path_hooks", finder) for finder in sys.path_hooks if finder not in first_finders[1]]
        now = vars(builtins)
        found += [(f"builtins.{name}", now.get(name)) for name, value in first_builtins.items() if now.get(name) is not value]
        for name, attributes in PATCHED.items():
            module = modules.get(name)
            found += [(f"{name}.{attribute}", getattr(module, attribute, None)) for attribute in attributes if module is not None]
        for name, value in [*found, ("sys.excepthook", sys.excepthook)]:
            at = value is not None and file_of(value)
            # In its own module a function of the distribution belongs.
            if at and at.rsplit(":", 1)[0] != getattr(modules.get(name.rpartition(".")[0]), "__file__", None):
                send("hook", name, at, most=1)

    handlers = {
        "compile": on_compile, "marshal.loads": on_marshal, "ctypes.dlopen": on_native, "import": on_import, "open": on_open,
        "subprocess.Popen": on_popen, "os.exec": on_path_exec, "os.posix_spawn": on_path_exec, "os.system": on_system,
        "socket.connect": network("connect"), "socket.sendto": network("connect"), "socket.sendmsg": network("connect"),
        "socket.bind": network("listen"), "socket.getaddrinfo": on_name, "socket.gethostbyname": on_name,
        "sys.addaudithook": word("hook", "sys.addaudithook", nearest), "sys.settrace": word("hook", "sys.settrace", nearest),
        "sys.setprofile": word("hook", "sys.setprofile", nearest), "os.listdir": on_open, "os.scandir": on_open, "os.chmod": on_chmod,
        "os.remove": on_change, "os.rename": on_change, "os.truncate": on_change, "os.link": on_change, "os.kill": on_kill,
        "os.killpg": on_kill, "object.__setattr__": on_set, WORD: on_word,
    }  # fmt: skip

    def hook(event, args, find=handlers.get):
        handler = find(event)
        if handler is None:
            return
        thread = get_ident()
        if thread in busy:
            return
        busy.add(thread)
        try:
            # At the end of the interpreter there is no frame.
            handler(args, None if event == WORD else getframe(1))
        except BaseException as problem:
            # A signal handler of the package may have run here and raised what is meant for the package.
            trace = problem.__traceback__
            while trace.tb_next is not None:
                trace = trace.tb_next
            if trace.tb_frame.f_code.co_filename != hook.__code__.co_filename:
                raise
        finally:
            busy.discard(thread)

    import atexit

    sys.addaudithook(hook)
    atexit.register(sys.audit, WORD)
