"""The small programs that load a package's modules, in processes of their own."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

import paths
import program_runs

AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(paths.__file__))), "agent")
IMPORT = "import os, sys; os.dup2(1, 3); sys.path.append({agent!r}); import importer; importer.run('victim', '/nowhere', {folder!r}, {patience})"


class Loading(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def write(self, code):
        with open(f"{self.folder}/victim.py", "w") as file:
            file.write(code)

    def ended(self, argv):
        return subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, env={"PYTHONPATH": self.folder})

    def import_victim(self, code, patience=1000.0):
        self.write(code)
        ended = self.ended(["-c", IMPORT.format(agent=AGENT, folder=self.folder, patience=patience)])
        return ended.returncode, ended.stdout

    def load(self, code, seconds=0):
        self.write(code)
        return self.ended(["-c", program_runs.LOAD.format(seconds=seconds), "missing", "victim"])

    def test_what_is_registered_for_the_end_runs(self):
        register = "import atexit, os\natexit.register(os.write, 1, b'|end')\n"
        for code, status, said in (
            (register, 0, '{"error": null, "missing": null}|end'),
            (register + "raise KeyError", 1, '{"error": "KeyError", "missing": null}|end'),
            (register + "raise SystemExit(5)", 0, "|end"),
            (register + "atexit.register(lambda: 1 / 0)", 0, '{"error": null, "missing": null}|end'),
            (register + "atexit.register(os._exit, 7)", 7, '{"error": null, "missing": null}'),
        ):
            with self.subTest(code):
                self.assertEqual(self.import_victim(code), (status, said))

    def test_an_end_that_does_not_come(self):
        started = time.monotonic()
        status, said = self.import_victim("import atexit, threading\natexit.register(threading.Event().wait)\n")
        self.assertEqual((status, json.loads(said)["error"]), (0, None))
        self.assertLess(time.monotonic() - started, 50)

    def test_threads_are_waited_for_as_at_the_end_of_an_interpreter(self):
        thread = "import os, threading, time\ndef work():\n    time.sleep(0.05)\n    os.write(1, b'|thread')\n"
        register = "import atexit\natexit.register(os.write, 1, b'|end')\n"
        said = '{"error": null, "missing": null}'
        executor = "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\npool.submit(work)\n"
        for code, expected in (
            ("threading.Thread(target=work).start()\n", f"{said}|thread|end"),
            ("threading.Thread(target=lambda: [work(), threading.Thread(target=work).start()]).start()\n", f"{said}|thread|thread|end"),
            (executor, f"{said}|thread|end"),
            ("threading.Thread(target=threading.Event().wait, daemon=True).start()\n", f"{said}|end"),
            ("threading.Thread(target=work).start()\nraise SystemExit\n", "|thread|end"),
            ("threading._shutdown = None\n", f"{said}|end"),
        ):
            with self.subTest(code):
                self.assertEqual(self.import_victim(thread + register + code), (0, expected))

    def test_threads_do_not_keep_the_process(self):
        code = "import atexit, os, threading, time\natexit.register(os.write, 1, b'|end')\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"
        for more, status, said in (("", 0, "|end"), ("raise KeyError", 1, "|end")):
            ended, found = self.import_victim(code + more, patience=0.1)
            self.assertEqual((ended, found.endswith(said)), (status, True))

    def test_idle_loads_all_and_waits_only_for_threads(self):
        quiet = self.load("print('here')\nraise SystemExit(3)", seconds=1000)
        self.assertEqual((quiet.returncode, quiet.stdout), (0, ""))
        code = "import threading, os\nthreading.Timer(0.05, os._exit, (9,)).start()\n"
        self.assertEqual(self.load(code, seconds=1000).returncode, 9)


if __name__ == "__main__":
    unittest.main()
