"""
Hostile packages through the whole agent in the chroot harness. Needs root and an image, unpacked or as squashfs:
  PYTI_GUEST_ROOT=/path/to/folder python3 -m unittest guest/tests/test_hostile.py
  PYTI_GUEST_BASE=/path/to/squashfs python3 -m unittest guest/tests/test_hostile.py
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import made  # noqa: E402

ROOT = os.environ.get("PYTI_GUEST_ROOT")
BASE = os.environ.get("PYTI_GUEST_BASE")
SETUP = "from setuptools import setup\n{code}\nsetup(name='evil', version='1.0', py_modules=['evil'])\n"
KILL_ALL = "import os, signal\nos.kill(-1, signal.SIGKILL)\n"
FORK_BOMB = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
DAEMON = (
    "import os, time\n"
    "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1000)\n    os._exit(0)\n"
)
DEVICES = (
    "import os\n"
    "for entry in os.scandir('/dev'):\n"
    "    try:\n        fd = os.open(entry.path, os.O_WRONLY | os.O_NONBLOCK)\n        os.write(fd, b'x' * 100)\n    except OSError:\n        pass\n"
)
FORGED = (
    "import os\n"
    "for fd in range(3, 1024):\n"
    "    try:\n"
    "        os.write(fd, b'[\"t\",\"forged::test\",\"passed\"]\\n[\"t\",1,2]\\n[\"t\",\"__proto__\",\"passed\"]\\n{{{\\n[\"e\",0]\\n' + b'[' * 100000 + b'\\n')\n"
    "    except OSError:\n        pass\n"
)


def setUpModule():
    global ROOT
    if ROOT is None and BASE and os.geteuid() == 0:
        folder = unittest.enterModuleContext(tempfile.TemporaryDirectory(prefix="pyti-guest-root-", dir="/var/tmp"))
        ROOT = f"{folder}/root"
        subprocess.run(["unsquashfs", "-q", "-n", "-d", ROOT, BASE], check=True, stdout=subprocess.DEVNULL)


@unittest.skipUnless((ROOT or BASE) and os.geteuid() == 0, "needs root and PYTI_GUEST_ROOT or PYTI_GUEST_BASE")
class Hostile(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-hostile-"))

    def run_agent(self, subject, *options, twice=True):
        logs = f"{self.folder}/logs"
        command = [sys.executable, f"{HERE}/chroot_harness.py", "--root", ROOT, "--quiet", "--logs", logs, "--seconds", "10"]
        command += ["--memory", "256", "--disk", "300", "--processes", "64", "--output", str(4 * 1024 * 1024)]
        command += ["--twice"] if twice else []
        ended = subprocess.run([*command, *options, "--", subject], capture_output=True, text=True, timeout=300)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr[-3000:])
        with open(f"{logs}/record.json", encoding="utf-8") as file:
            return {name: task["stable"] for name, task in json.load(file)["tasks"].items()}

    def build(self, code, *options, twice=True):
        subject = made.sdist(self.folder, "evil", {"setup.py": SETUP.format(code=code), "evil.py": ""})
        return self.run_agent(subject, "--tasks", "build", *options, twice=twice)["build"]

    def import_(self, code, *options):
        subject = made.wheel(self.folder, "evil", {"evil.py": code, "good.py": ""})
        return self.run_agent(subject, "--tasks", "import", *options)["import"]

    def outcomes(self, code, *options):
        return {row["name"]: row for row in self.import_(code, *options)["modules"]}

    def run_package(self, code, files=None):
        subject = made.wheel(self.folder, "evil", {"evil/__init__.py": "", "evil/tests/test_it.py": code, **(files or {})})
        return self.run_agent(subject, "--tasks", "unittest")["unittest"]

    def test_loading_the_tools_early_changes_nothing(self):
        code = "import os, re\nimport missing\nx = 1\ndef f(a, b=[]):\n    l = 1\n    return undefined\n"
        files = {"setup.py": SETUP.format(code=""), "evil.py": code, "tests/test_a.py": "def test_a(): pass\ndef test_b(): assert 0"}
        subject = made.sdist(self.folder, "evil", files)
        cold = self.run_agent(subject)
        self.assertEqual(cold["quality"]["status"], "passed")
        self.assertGreater(len(cold["quality"]["tools"][0]["messages"]), 3)
        self.assertEqual(self.run_agent(subject, "--warm"), cold)

    def test_build_never_ends(self):
        stable = self.build("while True: pass")
        self.assertEqual((stable["status"], stable["reason"], stable["changes"]), ("failed", "timeout", []))
        self.assertNotIn("signal", stable)

    def test_build_allocates_without_end(self):
        stable = self.build("x = []\nwhile True: x.append(bytearray(10_000_000))")
        self.assertEqual((stable["status"], stable["reason"]), ("failed", "out-of-memory"))

    def test_build_fills_the_disk(self):
        stable = self.build("f = open('big', 'wb')\nwhile True: f.write(bytes(1_000_000))")
        self.assertEqual((stable["status"], stable["reason"]), ("failed", "disk-full"))

    def test_build_fork_bomb(self):
        stable = self.build(FORK_BOMB)
        self.assertEqual(stable["status"], "failed")
        self.assertIn(stable["reason"], ("process-limit", "timeout"))

    def test_build_floods_output(self):
        # pip stands between: its own speed and memory decide which limit is met first.
        stable = self.build("import os\nwhile True: os.write(1, os.urandom(65536))", twice=False)
        self.assertIn(stable["reason"], ("output-limit", "timeout", "out-of-memory"))

    def test_build_kills_everything(self):
        stable = self.build(KILL_ALL)
        self.assertEqual((stable["status"], stable["reason"]), ("failed", "signal"))

    def test_build_leaves_a_daemon(self):
        # pip itself waits for the pipe the daemon holds.
        self.assertEqual(self.build(DAEMON)["reason"], "timeout")

    def test_build_exits_early_without_a_wheel(self):
        stable = self.build("import os; os._exit(0)")
        self.assertEqual(stable["status"], "failed")

    def test_build_writes_to_devices(self):
        self.assertEqual(self.build(DEVICES)["status"], "passed")

    def test_build_deletes_its_files(self):
        self.assertEqual(self.build("import shutil; shutil.rmtree('/work/build', True); shutil.rmtree('/home/user', True)")["status"], "failed")

    def test_links_out_of_the_sdist_are_not_followed(self):
        files = {"setup.py": SETUP.format(code=""), "evil.py": "", "tests/test_a.py": "def test_a(): pass"}
        links = [("shadow", "/etc/shadow"), ("tests/test_shadow.py", "/etc/shadow"), ("up", "../../../etc"), ("pytest.ini", "/etc/shadow")]
        stable = self.run_agent(made.sdist(self.folder, "evil", files, links), "--tasks", "build", "unittest")
        self.assertEqual(stable["build"]["status"], "passed")
        self.assertEqual(stable["unittest"]["tests"], {"tests/test_a.py::test_a": "passed"})

    def test_not_an_archive(self):
        path = f"{self.folder}/evil-1.0.tar.gz"
        with open(path, "wb") as file:
            file.write(os.urandom(1000))
        self.assertEqual(self.run_agent(path, "--tasks", "build")["build"]["reason"], "bad-input")

    def test_corrupt_wheel(self):
        path = made.wheel(self.folder, "evil", {"evil.py": "x = 1\n" * 1000})
        with open(path, "r+b") as file:
            file.seek(40)
            file.write(b"\xff" * 20)
        stable = self.run_agent(path, "--tasks", "install")["install"]
        self.assertEqual((stable["status"], stable["reason"]), ("failed", "exit-code"))

    def test_record_that_points_elsewhere(self):
        extra = ("../../../../../../etc/passwd", "/etc/shadow", "../../../../../home/user/x", "evil.py")
        subject = made.wheel(self.folder, "evil", {"evil.py": "x = 1\n"}, extra_record=extra)
        stable = self.run_agent(subject, "--tasks", "install")["install"]
        paths = [file["path"] for file in stable["files"]]
        self.assertEqual([path for path in paths if "passwd" in path or "shadow" in path], [])

    def test_import_never_ends(self):
        stable = self.import_("while True: pass")
        self.assertEqual((stable["status"], stable["reason"]), ("failed", "timeout"))

    def test_import_ends(self):
        cases = {
            "import os; os._exit(0)": "exit",
            "import sys; sys.exit(0)": "exit",
            "import sys; sys.exit(3)": "exit",
            "raise ValueError('x')": "error",
            "import ctypes; ctypes.string_at(0)": "signal",
            KILL_ALL: "passed",  # kill(-1) spares its caller, and there is nobody else
            DAEMON: "passed",
            DEVICES: "passed",
            "import os; os.closerange(0, 4096)": "exit",
            "raise type('X' * 10_000, (Exception,), {})": "error",
            "import os, shutil; shutil.rmtree('/work/venv', True)": "passed",
            "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()": "passed",
        }
        for code, outcome in cases.items():
            with self.subTest(code[:60]):
                rows = self.outcomes(code)
                self.assertEqual(rows["evil"]["outcome"], outcome)
                if "rmtree" not in code:
                    self.assertEqual(rows["good"]["outcome"], "passed")

    def test_import_exhausts_resources(self):
        cases = {
            "x = []\nwhile True: x.append(bytearray(10_000_000))": "out-of-memory",
            "f = open('/home/user/big', 'wb')\nwhile True: f.write(bytes(1_000_000))": "disk-full",
            "import os\nwhile True: os.write(1, bytes(65536))": "output-limit",
        }
        for code, reason in cases.items():
            with self.subTest(code[:60]):
                stable = self.import_(code)
                self.assertEqual((stable["status"], stable["reason"], stable["changes"]), ("failed", reason, []))

    def test_odd_module_names(self):
        files = {"evil/__init__.py": "", "evil/a-b.py": "1/0", "evil/class.py": "1/0", "evil/\u00e9t\u00e9.py": "", "evil/x y.py": "1/0", "evil/a\nb.py": "1/0"}
        subject = made.wheel(self.folder, "evil", files)
        stable = self.run_agent(subject, "--tasks", "install", "import", "quality")
        self.assertEqual([row["name"] for row in stable["import"]["modules"]], ["evil", "evil.\u00e9t\u00e9"])

    def test_package_named_like_the_agents_modules(self):
        files = {f"{name}.py": "" for name in ("text", "tree", "tasks", "sandboxed", "layout", "importer", "child", "tests", "json")}
        stable = self.run_agent(made.wheel(self.folder, "evil", files), "--tasks", "import", "quality")
        self.assertEqual({row["outcome"] for row in stable["import"]["modules"]}, {"passed"})
        self.assertEqual(stable["quality"]["status"], "passed")

    def test_linter_runs_nothing_of_the_package(self):
        trap = "import os\nos.write(1, b'TRAP' + b'PED')\nopen('/tmp/trapped', 'w')\nraise SystemExit(9)\n"
        files = {f"{name}.py": trap for name in ("enchant", "colorama", "tomllib", "multiprocessing", "astroid", "pylint")}
        files["evil.py"] = "import enchant, tomllib\nfrom multiprocessing import Pool\n"
        stable = self.run_agent(made.wheel(self.folder, "evil", files), "--tasks", "quality")
        self.assertEqual(stable["quality"]["status"], "passed")
        log = f"{self.folder}/logs/logs-quality.txt"
        if os.path.exists(log):
            with open(log, "rb") as file:
                self.assertNotIn(b"TRAPPED", file.read())

    def test_test_crashes_the_interpreter(self):
        code = "import os, ctypes\ndef test_a(): pass\ndef test_b(): ctypes.string_at(0)\ndef test_c(): pass\n"
        stable = self.run_package(code)
        self.assertEqual((stable["status"], stable["reason"], stable["signal"]), ("failed", "signal", "SIGSEGV"))
        found = {name.rsplit("::", 1)[1]: outcome for name, outcome in stable["tests"].items()}
        self.assertEqual(found, {"test_a": "passed", "test_b": "error", "test_c": "passed"})

    def test_test_leaves_silently(self):
        stable = self.run_package("import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): pass\n")
        self.assertEqual((stable["status"], stable["reason"]), ("failed", "tests-failed"))
        self.assertEqual(sorted(stable["tests"].values()), ["error", "passed", "passed"])

    def test_test_never_ends(self):
        stable = self.run_package("def test_a():\n    while True: pass\n")
        self.assertEqual((stable["status"], stable["reason"], stable["tests"]), ("failed", "timeout", {}))

    def test_forged_lines(self):
        stable = self.run_package(FORGED + "def test_a(): assert False\n")
        self.assertNotIn("__proto__", stable["tests"])
        self.assertLessEqual(set(stable["tests"].values()), {"passed", "failed", "error", "flaky"})

    def test_test_closes_every_descriptor(self):
        stable = self.run_package("import os\ndef test_a(): os.closerange(3, 2000)\ndef test_b(): pass\n")
        self.assertEqual(stable["status"], "failed")

    def test_test_kinds(self):
        code = (
            "import socket, pytest, random, os\n"
            "def test_net(): socket.create_connection(('example.test', 80))\n"
            "def test_route(): socket.create_connection(('192.0.2.1', 80))\n"
            "def test_flaky():\n"
            "    first = not os.path.exists('/tmp/seen')\n    open('/tmp/seen', 'w').close()\n    assert first\n"
            "@pytest.mark.xfail\ndef test_x(): assert 0\n"
            "def test_skip(): pytest.skip('no')\n"
            "@pytest.mark.parametrize('p', [object(), object()], ids=repr)\ndef test_ids(p): pass\n"
        )
        stable = self.run_package(code)
        name = "evil/tests/test_it.py::"
        self.assertEqual(
            stable["tests"],
            {
                f"{name}test_net": "needs-network",
                f"{name}test_route": "needs-network",
                f"{name}test_flaky": "flaky",
                f"{name}test_x": "xfailed",
                f"{name}test_skip": "skipped",
                f"{name}test_ids[<object object at {{address}}>]": "passed",
                f"{name}test_ids[<object object at {{address}}>]#2": "passed",
            },
        )
        self.assertEqual(stable["status"], "passed")


if __name__ == "__main__":
    unittest.main()
