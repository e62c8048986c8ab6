import unittest
from types import SimpleNamespace

import paths  # noqa: F401
import failures
from bounded_log import BoundedLog
from sandboxed import Outcome

EPILOGUE = (
    "  error: subprocess-exited-with-error\n\n  × Building wheel for x (pyproject.toml) did not run successfully.\n  │ exit code: 1\n"
    "  ╰─> See above for output.\n\n  note: This error originates from a subprocess, and is likely not a problem with pip.\n"
)
LACKING = (
    "x.c:3:10: fatal error: libxml/tree.h: No such file or directory\n    3 | #include <libxml/tree.h>\n      |          ^~~~\n",
    "/usr/bin/ld: cannot find -lopenblas: No such file or directory\n",
    "  error: command 'gfortran' failed: No such file or directory\n",
    "  ModuleNotFoundError: No module named 'puccinialin'\n",
    "  error: can't find Rust compiler\n",
    "  ../meson.build:28:4: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]\n",
    '  ../meson.build:8:9: ERROR: Dependency "openblas" not found, tried pkgconfig and cmake\n',
    "  CMake Error: No CMAKE_Fortran_COMPILER could be found.\n",
    "  Error: Please make sure the libxml2 and libxslt development packages are installed.\n",
    "  The headers or library files could not be found for jpeg,\n  a required dependency when compiling Pillow from source.\n",
    "  Error: pg_config executable not found.\n",
)
BROKEN = (
    'x.c:3:10: fatal error: own.h: No such file or directory\n    3 | #include "own.h"\n      |          ^~~~\n',
    "  ModuleNotFoundError: No module named 'Cython'\n",
    "  x.c:1:1: error: unknown type name 'y'\n  error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1\n",
    "  FileNotFoundError: [Errno 2] No such file or directory: 'README.md'\n",
)


class Report:
    def __init__(self):
        self.volatile = {}

    def end(self, status, reason, outcome=None):
        self.outcome = status, reason


def failed(log_text, groups=("build",), incomplete=False):
    log, report = BoundedLog(100_000), Report()
    log.write(log_text.encode())
    job = SimpleNamespace(is_incomplete=lambda *names: incomplete and bool(names))
    failures.pip_failed(job, report, Outcome(exit_code=1, reason="exit-code"), groups, log)
    return report


class Failures(unittest.TestCase):
    def test_what_the_machine_lacks_is_not_held_against_the_package(self):
        for words in LACKING:
            self.assertEqual(failed(words + EPILOGUE).outcome, ("unsupported", "dependencies-unavailable"), words)
        for words in BROKEN:
            self.assertEqual(failed(words + EPILOGUE).outcome, ("failed", "exit-code"), words)
            self.assertEqual(failed(words + EPILOGUE, incomplete=True).outcome, ("unsupported", "dependencies-unavailable"))

    def test_an_installation_compiles_nothing(self):
        self.assertEqual(failed(LACKING[0], groups=()).outcome, ("failed", "exit-code"))

    def test_blank_lines_are_no_work(self):
        # Were each a start of its own, this would be hours.
        self.assertIsNone(failures._EPILOGUE.search(b"\n" * 3_000_000))

    def test_the_excerpt_ends_with_the_cause(self):
        self.assertEqual(failed("first\n" + BROKEN[1] + EPILOGUE).volatile["excerpt"], "first\n  ModuleNotFoundError: No module named 'Cython'")
        self.assertEqual(failed(EPILOGUE).volatile, {})
        self.assertEqual(failed("ERROR: something else\n").volatile, {})


if __name__ == "__main__":
    unittest.main()
