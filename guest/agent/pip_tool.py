"""
pip of the image, loaded once in a fork server. It works for the environment of a job as `VENV/bin/python -m pip` would: the
server runs without `site`, so the interpreter can take the environment's place before anything asks where it is.
"""

import os
import sys

import layout

PACKAGES, VENV, LIBRARY = layout.SYSTEM_PACKAGES, layout.VENV, layout.LIBRARY


def load():
    """Imports all that `pip install`, `check` and `wheel` use. Called once, in the server."""
    settle(VENV)
    import contextlib
    import importlib
    import site

    # As `-s` leaves it; `site` itself has not run.
    site.ENABLE_USER_SITE = False
    sys.path.insert(0, PACKAGES)
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        # Every command asks which system this is, which takes two programs; the answer is kept.
        from pip._internal.network.session import user_agent

        user_agent()
    sys.path.remove(PACKAGES)


def settle(venv):
    """Makes this interpreter the one of an environment."""
    sys.prefix = sys.exec_prefix = venv
    sys.executable = f"{venv}/bin/python"
    sys.path[:] = [entry for entry in sys.path if not entry.endswith("/site-packages")] + [f"{venv}/{LIBRARY}"]


def run(venv, arguments, check_mark=None):
    """
    In a fork: one pip command, its exit status. `check_mark`: after success also `pip check`, whose output goes to descriptor
    3 after this line.
    """
    from pip._internal.cli.main import main

    settle(venv)
    sys.argv = [f"{PACKAGES}/pip/__main__.py", *arguments]
    code = main(arguments)
    if code == 0 and check_mark is not None:
        sys.stdout.flush()
        os.write(3, check_mark.encode())
        os.dup2(3, 1)
        main(["check", "--disable-pip-version-check", "--no-color"])
    return code


#: What pip imports at once and what it imports when a command runs; not every version has all of it.
MODULES = (
    "pip._internal.cli.main",
    "pip._internal.commands.install",
    "pip._internal.commands.wheel",
    "pip._internal.commands.check",
    "pip._internal.metadata.importlib",
    "pip._internal.resolution.resolvelib.resolver",
    "pip._vendor.distro",
    "pip._vendor.truststore",
    "argparse",
    "encodings.ascii",
    "encodings.cp437",
    "importlib.metadata._adapters",
    "importlib.metadata._text",
    "importlib.resources.readers",
)
