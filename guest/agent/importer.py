"""
Imports one module of the distribution in a fork of a bare interpreter with the job's hash seed (see `fork_server`). The
fork holds nothing of the agent but this function.
"""

import json
import os
import sys

LAST_SECONDS = 5


def load():
    """Nothing: what is loaded before a package could be what it wants to load itself."""


def run(name, venv, site_packages):
    """In a fork: becomes a plain interpreter of the environment, then imports. Ends the process."""
    import importlib
    import site
    import traceback

    sys.argv = ["-c"]
    sys.prefix = sys.exec_prefix = venv
    sys.executable = f"{venv}/bin/python"
    site.setquit()
    site.setcopyright()
    site.sethelper()
    site.addsitedir(site_packages)
    error = missing = None
    try:
        site.execsitecustomize()
        importlib.import_module(name)
    except SystemExit:
        traceback.print_exc()
        sys.stderr.flush()
        finish(0)
    except BaseException as problem:
        traceback.print_exc()
        error = type(problem).__name__[:200]
        missing = _missing_module(problem)
    os.write(3, json.dumps({"error": error, "missing": missing}).encode())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    finish(1 if error else 0)


def finish(status):
    """What is to run at the end of the interpreter, and no shutdown: threads the import started must not keep the process."""
    import atexit
    import signal

    def end(*_):
        os._exit(status)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(LAST_SECONDS)
    try:
        atexit._run_exitfuncs()
    except BaseException:
        pass
    end()


def _missing_module(problem):
    """The module that was not found, when that is why an import failed: the error itself or what it came from."""
    for _ in range(10):
        if isinstance(problem, ModuleNotFoundError):
            return problem.name[:1000] if isinstance(problem.name, str) else None
        if not isinstance(problem, ImportError):
            return None
        problem = problem.__cause__ or problem.__context__
    return None
