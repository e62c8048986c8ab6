"""
Imports one module of the distribution in a fork of a bare interpreter with the job's hash seed (see `fork_server`). The
fork holds nothing of the agent but this function.
"""

import json
import os
import sys

#: For what is registered to run at the end.
LAST_SECONDS = 5


def load():
    """Nothing: what is loaded before a package could be what it wants to load itself."""


def run(name, venv, site_packages, patience):
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
        finish(0, patience)
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
    finish(1 if error else 0, patience)


def finish(status, patience):
    """
    What an interpreter does at its end, but no shutdown: waits for the threads that are no daemons, then runs what is registered.
    What the import began there is part of what it does, and so is seen. A thread that never ends must not keep the process: it
    gets `patience` seconds.
    """
    import atexit
    import signal

    def end(*_):
        os._exit(status)

    def last(*_):
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, LAST_SECONDS)
        try:
            atexit._run_exitfuncs()
        except BaseException:
            pass
        end()

    signal.signal(signal.SIGALRM, last)
    signal.setitimer(signal.ITIMER_REAL, patience)
    # Threads of other making are none the interpreter waits for.
    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
    except BaseException:
        pass
    last()


def _missing_module(problem):
    """The module that was not found, when that is why an import failed: the error itself or what it came from."""
    for _ in range(10):
        if isinstance(problem, ModuleNotFoundError):
            return problem.name[:1000] if isinstance(problem.name, str) else None
        if not isinstance(problem, ImportError):
            return None
        problem = problem.__cause__ or problem.__context__
    return None
