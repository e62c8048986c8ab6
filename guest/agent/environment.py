"""Virtual environments made by hand: `python -m venv` with pip takes six seconds in a slow guest."""

import os
import sys

import account
import layout
import sandboxed
import wheel_unpacker

#: What the image's pytest needs to run beside the packages of an environment; pytest 7.2 still wants attrs.
PYTEST_PARTS = (
    "pytest", "_pytest", "py.py", "pluggy", "iniconfig", "packaging", "attr", "attrs", "pytest_timeout.py",
    "pytest-", "pluggy-", "iniconfig-", "packaging-", "attrs-", "pytest_timeout-",
)  # fmt: skip


def create(job, report, venv, wheels, system=False):
    """Makes the environment and installs the wheels as the user; the failed Outcome or None."""

    def make():
        _skeleton(venv, system)
        wheel_unpacker.install(wheels, venv, layout.LIBRARY)
        return b""

    return _run(job, report, make)


def add_tests(job, report, wheels, with_pytest):
    """Installs what the tests need into the run environment, and a way to our tools; the failed Outcome or None."""
    _fill_tools(with_pytest)

    def make():
        wheel_unpacker.install(wheels, layout.VENV, layout.LIBRARY)
        path = f"{layout.SITE}/zz_pyti_tools.pth"
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "x", encoding="utf-8") as file:
            file.write(f"{layout.TOOLS}\n")
        return b""

    return _run(job, report, make)


def _run(job, report, make):
    log = job.log(report.task)
    outcome = sandboxed.run(make, layout.HOME, job.environment(), job.limits, log)
    if outcome.reason:
        log.note(f"the environment could not be made: {outcome.reason}")
        return report.ran(outcome)
    return None


def _skeleton(venv, system):
    os.makedirs(f"{venv}/{layout.LIBRARY}", exist_ok=True)
    os.makedirs(f"{venv}/bin", exist_ok=True)
    version = ".".join(str(part) for part in sys.version_info[:3])
    with open(f"{venv}/pyvenv.cfg", "w", encoding="utf-8") as file:
        file.write(f"home = /usr/bin\ninclude-system-site-packages = {str(system).lower()}\nversion = {version}\n")
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        if not os.path.lexists(f"{venv}/bin/{name}"):
            os.symlink(layout.SYSTEM_PYTHON if name == "python" else "python", f"{venv}/bin/{name}")


def _fill_tools(with_pytest):
    """
    Our recorders and, if wanted, the image's pytest: a root-owned folder of links that a `.pth` file makes importable in the
    run environment AFTER its own packages.
    """
    for name in ("pytest_recorder.py", "unittest_recorder.py", "pyti_network.py", "pyti_coverage.py"):
        account.publish(name, layout.TOOLS)
    links = {}
    if with_pytest:
        for name in os.listdir(layout.SYSTEM_PACKAGES):
            if name in PYTEST_PARTS or (name.endswith("-info") and name.startswith(PYTEST_PARTS)):
                links[name] = f"{layout.SYSTEM_PACKAGES}/{name}"
    for name, target in links.items():
        path = f"{layout.TOOLS}/{name}"
        if not os.path.lexists(path):
            os.symlink(target, path)
