import hashlib
import base64
import json
import os
import subprocess
import tempfile
import threading
import unittest
import venv

import paths  # noqa: F401

import audit_reader
import events
import layout

LONG = "# a source that is longer than forty characters"


class Environment(unittest.TestCase):
    """A real environment with the hook in it; what runs there is a real interpreter."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pyti-audit-"))
        cls.venv = f"{cls.folder}/venv"
        venv.EnvBuilder(symlinks=True, with_pip=False).create(cls.venv)
        cls.python = f"{cls.venv}/bin/python"
        cls.site = f"{cls.venv}/{layout.LIBRARY}"
        cls.write("other/__init__.py", "def call(function, *rest): return function(*rest)\ndef run(source): exec(source)\n")
        cls.write("otherstart.py", "import subprocess\nsubprocess.run(['true', 'of-another'])\n")
        cls.bait = f"{cls.folder}/id_ed25519"
        with open(cls.bait, "w", encoding="utf-8") as file:
            file.write("x")

    @classmethod
    def write(cls, name, source):
        path = f"{cls.site}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        return path

    def setUp(self):
        self.reader = audit_reader.AuditReader(f"{self.folder}/pipe")
        self.addCleanup(self.reader.close)

    def run_package(self, source, argv=("-s", "-P", "-B", "-c", "import pkg"), build=False, status=0, more=(), **options):
        """[(kind, what, line)] of a package with this `__init__`, imported in a fresh interpreter."""
        path = self.write("pkg/__init__.py", source)
        own, files = audit_reader.own_places([path, *(f"{self.site}/{name}" for name in more)], self.site)
        config = audit_reader.configuration(own, files, [self.site], {self.bait: "ssh-key"}, build=build, pipe=self.reader.path)
        self.placed = audit_reader.place(self.folder, "start.bin", self.site, config)
        found = events.Events()
        self.reader.begin(found, lambda name: name.startswith(own[0]) or name in files)
        process = subprocess.Popen([self.python, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        reading = threading.Thread(target=self.read_until, args=(process,))
        reading.start()
        self.output = process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(), status, self.output)
        reading.join()
        self.reader.end()
        return [(row["kind"], row["what"], int(row["at"].rsplit(":", 1)[1]) if "at" in row else None) for row in found.rows()[0]]

    def read_until(self, process):
        while process.poll() is None:
            self.reader.feed()


class Seen(Environment):
    def test_code(self):
        rows = self.run_package(
            "import dataclasses, collections, typing, enum, marshal, code, other\n"
            f"source = 'x = 1 {LONG}'\n"
            "exec(source)\n"
            f"exec(compile(b'y = 1 {LONG}', '/no/such/file.py', 'exec'))\n"
            f"exec('exec(\"z = 1 {LONG}\") {LONG}')\n"
            f"code.InteractiveInterpreter().runsource('v = 1 {LONG}')\n"
            "exec('short = 1')\n"
            f"compile(open(__file__).read() + '{LONG}', __file__, 'exec')\n"
            "@dataclasses.dataclass(order=True)\nclass A:\n    some_quite_long_field_name: int\n"
            "collections.namedtuple('B', 'some_quite_long_field_name another_quite_long_field_name')\n"
            f"other.run('w = 1 {LONG}')\n"
            "marshal.loads(marshal.dumps((lambda: 5).__code__)); marshal.loads(marshal.dumps(5))\n"
        )
        outer = f'exec("z = 1 {LONG}") {LONG}'
        wanted = {f"x = 1 {LONG}": 3, f"y = 1 {LONG}": 4, f"z = 1 {LONG}": 5, outer: 5, f"v = 1 {LONG}": 6}
        self.assertEqual(
            {(what, line) for kind, what, line in rows if kind == "code" and what != hashlib.sha256(f"v = 1 {LONG}\n".encode()).hexdigest()},
            {(hashlib.sha256(source.encode()).hexdigest(), line) for source, line in wanted.items()},
        )
        # Code only: the plain number beside it is data.
        self.assertEqual([line for kind, _, line in rows if kind == "marshal"], [14])
        self.assertEqual({kind for kind, _, _ in rows}, {"code", "marshal"})
        text = audit_reader.evidence_text(self.reader.evidence)
        self.assertIn(f"x = 1 {LONG}".encode(), text)

    def test_a_command_given_to_a_child(self):
        decoded = f"x = 1 {LONG}"
        command = f"import base64; exec(base64.b64decode({base64.b64encode(decoded.encode())!r}))"
        rows = self.run_package(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {command!r}])\n")
        self.assertIn(("code", hashlib.sha256(decoded.encode()).hexdigest(), 1), rows)

    def test_long_sources(self):
        rows = self.run_package("exec('x = 1\\n' * 4000)\nexec('x = 1\\n' * 40000)\n")
        wanted = {hashlib.sha256(b"x = 1\n" * times).hexdigest() for times in (4000, 40000)}
        self.assertEqual({what for _, what, _ in rows}, wanted)
        self.assertEqual({len(data) for _, _, data in self.reader.evidence}, {4096})

    def test_many_sources_that_are_as_long_as_each_other(self):
        rows = self.run_package(f"for n in range(100, 400):\n  exec(f'x = {{n}} {LONG}')\n")
        wanted = {hashlib.sha256(f"x = {n} {LONG}".encode()).hexdigest() for n in range(100, 400)}
        self.assertEqual({what for _, what, _ in rows}, wanted)

    def test_programs_and_network(self):
        rows = self.run_package(
            "import os, socket, subprocess, sys, other\n"
            "subprocess.run(['true', 'a b'])\n"
            "other.call(subprocess.run, 'true c', 1) if 0 else other.call(subprocess.getoutput, 'true c')\n"
            "os.system('true d')\n"
            "if os.fork() == 0: os.execv('/bin/true', ['true', 'e'])\n"
            "os.wait()\n"
            "s = socket.socket()\n"
            "try: s.connect(('192.0.2.1', 443))\nexcept OSError: pass\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "try: s.sendto(b'x', ('192.0.2.2', 53))\nexcept OSError: pass\n"
            "socket.socket(type=socket.SOCK_DGRAM).bind(('127.0.0.1', 0))\n"
            "try: socket.getaddrinfo('name.test', 80)\nexcept OSError: pass\n"
            "socket.getaddrinfo('127.0.0.1', 80)\n"
            "try: socket.socket(socket.AF_UNIX).connect('/no/sock')\nexcept OSError: pass\n"
            "import otherstart\n"
        )
        self.assertEqual(rows, [
            ("connect", "tcp 192.0.2.1:443", 8), ("connect", "udp 192.0.2.2:53", 11), ("connect", "unix /no/sock", 17),
            ("exec", "/bin/sh -c 'true c'", 3), ("exec", "sh -c 'true d'", 4), ("exec", "true 'a b'", 2), ("exec", "true e", 5),
            ("listen", "udp 127.0.0.1:{port}", 13), ("name", "name.test", 14),
        ])  # fmt: skip

    def test_files_hooks_and_tampering(self):
        self.write("pkg/mark", "")
        rows = self.run_package(
            "import ctypes, os, sys, builtins\n"
            f"open({self.bait!r}).close()\n"
            f"os.chdir({self.folder!r}); open('id_ed25519').close()\n"
            "open('/proc/cpuinfo').close(); open(b'/proc/self/status').close()\n"
            "try: open('/proc/%d/mem' % os.getppid())\nexcept OSError: pass\n"
            "ctypes.CDLL('libc.so.6'); ctypes.CDLL(None); sys.audit('open', '/dev/vda', 'r', 0)\n"
            "os.chmod(os.path.dirname(__file__) + '/mark', 0o755); os.chmod(os.path.dirname(__file__), 0o755)\n"
            "sys.settrace(None)\n"
            "sys.addaudithook(lambda *a: None)\n"
            "class Finder:\n    def find_spec(self, *a): return None\n"
            "sys.meta_path.append(Finder())\n"
            "def show(*a, **k): pass\n"
            "builtins.print = show\n"
            f"os.remove({self.site + '/_virtualenv.pth'!r})\n"
            f"open({self.folder + '/pipe'!r}, 'w').close()\n"
            "sys.audit('os.kill', 1, 9); sys.audit('os.kill', -1, 15); sys.audit('os.kill', 5, 9)\n"
        )
        self.assertEqual(rows, [
            ("bait-read", "ssh-key", 2), ("bait-read", "ssh-key", 3),
            ("hook", "builtins.print", 14), ("hook", "sys.addaudithook", 10), ("hook", "sys.meta_path", 1), ("hook", "sys.settrace", 9),
            ("identity-read", "/proc/cpuinfo", 4), ("identity-read", "/proc/self/status", 4),
            ("kill", "SIGKILL agent", 18), ("kill", "SIGTERM all", 18),
            ("make-executable", [what for kind, what, _ in rows if kind == "make-executable"][0], 8),
            ("native", "libc.so.6", 7), ("native", "program", 7), ("process-memory", "/proc/{pid}/mem", 5),
            ("tamper", "/dev/vda", 7), ("tamper", "audit-channel", 17), ("tamper", "audit-files", 16),
        ])  # fmt: skip

    def test_a_setup_script_run_as_a_string(self):
        path = self.write("build/setup.py", "import subprocess\ndef go(): subprocess.run(['true', 'setup'])\ngo()\n")
        self.write("backend.py", "def run(__file__): exec(open(__file__).read(), locals())\n")
        config = audit_reader.configuration([os.path.dirname(path) + "/"], [], [self.site], {}, build=True, pipe=self.reader.path)
        self.addCleanup(os.unlink, audit_reader.place(self.folder, "start.bin", self.site, config)[1])
        found = events.Events()
        self.reader.begin(found, lambda name: name == path)
        subprocess.run([self.python, "-c", f"import backend; backend.run({path!r})"], check=True)
        subprocess.run([self.python, "-c", "import backend; backend.run('setup.py')"], check=True, cwd=os.path.dirname(path))
        self.reader.end()
        rows = found.rows()[0]
        self.assertEqual([(row["what"], row["at"].rsplit("/", 1)[1], row["times"]) for row in rows], [("true setup", "setup.py:2", "few")])

    def test_what_runs_at_start_comes_after_the_hook(self):
        self.write("0first.pth", "import pkg.start\n")
        self.addCleanup(os.unlink, f"{self.site}/0first.pth")
        self.write("pkg/start.py", "import os\nos.system('true at start')\n")
        rows = self.run_package("", argv=("-I", "-c", "pass"))
        self.assertTrue(self.placed[1].endswith("/00.pth"))
        self.assertEqual(rows, [("exec", "sh -c 'true at start'", 2)])
        self.write("\x01first.pth", "import pkg.start\n")
        self.addCleanup(os.unlink, f"{self.site}/\x01first.pth")
        self.assertEqual(len(self.run_package("", argv=("-c", "pass"))), 1)
        self.assertFalse(os.path.exists(f"{self.site}/00.pth"))
        os.unlink(self.placed[1])

    def test_a_line_of_a_pth_file(self):
        source = "import os; os.system('true from a line')  # long enough to be told"
        self.write("own.pth", f"import base64; exec(base64.b64decode({__import__('base64').b64encode(source.encode())!r}))\n")
        self.addCleanup(os.unlink, f"{self.site}/own.pth")
        rows = self.run_package("", argv=("-c", "pass"), more=["own.pth"])
        self.assertEqual([(kind, line) for kind, _, line in rows], [("code", 1), ("exec", 1)])

    def test_a_file_of_our_name_is_the_packages(self):
        path = os.path.join(self.site, "_virtualenv.pth")
        self.addCleanup(os.unlink, path)
        with open(path, "w") as file:
            file.write("import os; os.write(1, b'theirs')\n")
        config = audit_reader.configuration([], [], [self.site], {})
        for _ in range(2):
            _, pth = audit_reader.place(self.folder, "hook", self.site, config)
            self.assertEqual(os.path.basename(pth), "00.pth")
        with open(path) as file:
            self.assertIn("theirs", file.read())
        os.unlink(pth)

    def test_children_threads_and_a_bare_environment(self):
        rows = self.run_package(
            "import os, subprocess, sys, threading\n"
            "def run(): os.system('true thread')\n"
            "if os.environ.get('DEEP') is None:\n"
            "    threads = [threading.Thread(target=run) for _ in range(3)]\n"
            "    [thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
            "    if os.fork() == 0:\n        os.system('true fork'); os._exit(0)\n"
            "    os.wait(); os.closerange(3, 100)\n"
            "    subprocess.run([sys.executable, '-c', 'import pkg'], env={'DEEP': '1'})\n"
            "else:\n    os.system('true deep')\n"
        )
        self.assertEqual([what for _, what, _ in rows], sorted((
            f"{events.template(self.python)} -c 'import pkg'", "sh -c 'true deep'", "sh -c 'true fork'", "sh -c 'true thread'")))  # fmt: skip


class Harmless(Environment):
    def test_nothing_is_left_behind(self):
        script = "import sys, os, pkg; print(sorted(set(sys.modules) - set(sys.builtin_module_names)), len(os.listdir('/proc/self/fd')), sys.exc_info()[0])"
        self.run_package("", argv=("-B", "-c", script))
        hooked = self.output
        # Any `.pth` file loads a codec.
        with open(self.placed[1], "w", encoding="utf-8") as file:
            file.write("import sys\n")
        plain = subprocess.run([self.python, "-B", "-c", script], capture_output=True, text=True, check=True).stdout
        self.assertEqual(hooked, plain)

    def test_no_pipe_or_a_full_one_breaks_nothing(self):
        self.run_package("import os\nos.system('true')\n")
        self.reader.close()
        self.assertEqual(subprocess.run([self.python, "-c", "import pkg"], capture_output=True, check=True).stderr, b"")
        self.reader = audit_reader.AuditReader(self.reader.path)
        # Nobody reads: the writer gives up after its two seconds.
        source = "import sys\nfor number in range(3000): sys.audit('os.system', 'x' * 300 + str(number))\n"
        self.write("pkg/__init__.py", source)
        subprocess.run([self.python, "-c", "import pkg"], check=True, timeout=60)
        self.reader.begin(events.Events(), lambda name: True)

    def test_a_signal_handler_within_the_hook_still_raises(self):
        self.run_package(
            "import signal, os, sys\n"
            "class Late(Exception): pass\n"
            "def ring(*a): raise Late\n"
            "signal.signal(signal.SIGALRM, ring)\n"
            "class Path(str):\n    pass\n"
            "class Odd:\n    def __fspath__(self): os.kill(os.getpid(), signal.SIGALRM); return '/x'\n"
            "try:\n    sys.audit('open', Odd(), 'r', 0)\n    raise SystemExit(3)\nexcept Late:\n    pass\n"
        )

    def test_odd_arguments_do_not_matter(self):
        self.run_package(
            "import sys\n"
            "for event in ('compile', 'open', 'os.exec', 'subprocess.Popen', 'socket.connect', 'os.chmod', 'import', 'marshal.loads', 'object.__setattr__'):\n"
            "    for args in ((), (None,), (object(), object(), object(), object()), ('\\udcff\\ud800' * 50, '<\\udcff>', 1), (b'\\xff' * 50, '<x>', 3)):\n"
            "        sys.audit(event, *args)\n"
        )
        self.assertEqual(self.output, "")

    def test_recursion_ends_as_before(self):
        self.run_package("def deep(): return [id(1), open('/dev/null').close(), deep()]\ntry: deep()\nexcept RecursionError: pass\n")


class Reading(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-audit-"))
        self.reader = audit_reader.AuditReader(f"{folder}/pipe")
        self.addCleanup(self.reader.close)
        self.events = events.Events()
        self.reader.begin(self.events, lambda path: path.startswith("/own/"))

    def say(self, *lines):
        with open(self.reader.path, "wb", buffering=0) as pipe:
            for line in lines:
                pipe.write(line if isinstance(line, bytes) else b"\n" + json.dumps(line).encode() + b"\n")
                self.reader.feed()
        self.reader.end()
        return [(row["kind"], row["what"]) for row in self.events.rows()[0]]

    def test_the_package_may_write_only(self):
        self.assertEqual(os.stat(self.reader.path).st_mode & 0o777, 0o222)

    def test_good_lines(self):
        good = {"k": "exec", "w": ["a", "b c"], "a": "/own/x.py:3"}
        self.assertEqual(self.say(good, good), [("exec", "a 'b c'")])

    def test_bad_lines_are_one_event(self):
        good = {"k": "name", "w": "name.test", "a": "/own/x.py:3"}
        for bad in (
            b"garbage\n", b"\xff\xfe\n", b"[" * 3000 + b"\n", b"1\n", b"{}\n", b'{"k":"exec"', b"x" * 10000,
            {"k": "bait-left", "w": "x", "a": "/own/x.py:3"}, {**good, "a": "/else/x.py:3"}, {**good, "a": "/own/x.py"}, {**good, "w": 5},
            {**good, "more": 1}, {"k": "exec", "w": [], "a": "/own/x:1"}, {"k": "exec", "w": [1], "a": "/own/x:1"}, {**good, "w": ["x"], "k": "connect"},
            {"k": "connect", "w": ["tcp", "h", "99999999"], "a": "/own/x:1"}, {"k": "code", "w": "zz", "a": "/own/x:1", "i": "1", "n": 0},
            {"k": "code", "w": "", "a": "/own/x:1", "i": "1", "n": 7}, {"k": "part", "i": "1", "d": "zz"}, {"k": "kill", "w": "x", "a": "/own/x:1"},
            {"k": "kill", "w": "\u0663 all", "a": "/own/x:1"},
        ):  # fmt: skip
            with self.subTest(bad=bad):
                self.events = events.Events()
                self.reader.begin(self.events, lambda path: path.startswith("/own/"))
                self.assertEqual(self.say(good, bad), [("name", "name.test"), ("tamper", "audit-channel")])

    def test_a_flood_is_bounded(self):
        line = b'{"k":"part","i":"%d","d":"' + b"00" * 1800 + b'"}\n'
        self.say(*(line % number for number in range(400)))
        self.assertEqual(self.reader._parts, {})
        self.reader.begin(self.events, lambda path: True)
        for number in range(400):
            self.reader._line(line.strip() % number)
        self.assertLessEqual(len(self.reader._parts), audit_reader.PARTS)


class Places(unittest.TestCase):
    def test_namespaces_are_not_owned_whole(self):
        files = ["/s/a/__init__.py", "/s/a/b/c.py", "/s/ns/p/__init__.py", "/s/ns/p/q.py", "/s/ns/lone.py", "/s/m.py", "/s/a-1.dist-info/RECORD", "/else/x.py"]
        self.assertEqual(audit_reader.own_places(files, "/s"), (["/s/a/", "/s/ns/p/"], ["/s/m.py", "/s/ns/lone.py"]))


if __name__ == "__main__":
    unittest.main()
