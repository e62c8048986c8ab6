"""
pytest plugin: says on descriptor 3, one JSON array per line, which test starts and how it ended. It runs inside the
package's process, so whoever reads the lines trusts none of them.
"""

import errno
import fcntl
import json
import os
import signal
import sys

import pytest
import pyti_coverage
import pyti_network

TEST_SECONDS = 60
WORST_FIRST = ("error", "failed", "needs-network", "xpassed", "xfailed", "skipped", "passed")
NETWORK_ERRNO = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
NETWORK_WORDS = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "No address associated with hostname",
    "Network is unreachable",
    "nodename nor servname provided",
)
DEPENDENCY_CLASSES = {"NameResolutionError"}

pyti_network.watch()
_lines = pyti_coverage.asked()
_owner = os.getpid()
_ended = {}
_networked = set()
try:
    # High and not inherited: tests close or reuse the low descriptors.
    _descriptor = fcntl.fcntl(3, fcntl.F_DUPFD_CLOEXEC, 900)
    os.close(3)
except OSError:
    _descriptor = None


def _say(*row):
    if _descriptor is None or os.getpid() != _owner:
        return
    data = (json.dumps(row) + "\n").encode()
    try:
        while data:
            data = data[os.write(_descriptor, data) :]
    except OSError:
        pass


def _say_lines():
    # What this process did before it forked is its parent's to say.
    if _lines is not None and os.getpid() == _owner:
        for row in _lines.take():
            _say("l", *row)


def _chain(problem):
    seen = []
    while problem is not None and len(seen) < 20 and problem not in seen:
        seen.append(problem)
        problem = problem.__cause__ or problem.__context__
    return seen


def _is_network(problem):
    import socket

    for link in _chain(problem):
        if isinstance(link, socket.gaierror) or type(link).__name__ in DEPENDENCY_CLASSES:
            return True
        if isinstance(link, OSError) and link.errno in NETWORK_ERRNO:
            return True
        if isinstance(link, Exception) and any(word in str(link)[:20000] for word in NETWORK_WORDS):
            return True
    return False


def _missing(problem):
    for link in _chain(problem):
        if isinstance(link, ModuleNotFoundError):
            return link.name
    return None


def _safe(function, problem):
    try:
        return function(problem)
    except Exception:
        return None


def _configure_hypothesis():
    if "hypothesis" not in sys.modules:
        import importlib.util

        if importlib.util.find_spec("hypothesis") is None:
            return
    try:
        from hypothesis import HealthCheck, settings

        settings.register_profile(
            "pyti", derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        settings.load_profile("pyti")
    except Exception:
        pass


def _on_alarm(_number, _frame):
    pytest.fail(f"test ran longer than {TEST_SECONDS} s")


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests():
    answer = yield
    if answer.excinfo is not None:
        problem = answer.excinfo[1]
        problem = getattr(problem, "cause", None) or problem
        _say("c", "conftest.py", bool(_safe(_is_network, problem)), _safe(_missing, problem))


def pytest_configure():
    _configure_hypothesis()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    _configure_hypothesis()
    path = os.environ.get("PYTI_TESTS")
    if not path:
        return
    with open(path, encoding="utf-8") as file:
        chosen = json.load(file)
    only, skip = chosen["only"], set(chosen["skip"])
    only = None if only is None else set(only)
    kept = [item for item in items if (only is None or item.nodeid in only) and item.nodeid not in skip]
    gone = len(items) - len(kept)
    if gone:
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def pytest_exception_interact(node, call, report):
    problem = call.excinfo.value if call.excinfo is not None else None
    if isinstance(report, pytest.CollectReport):
        network = pyti_network.take() or bool(_safe(_is_network, problem))
        _say("c", report.nodeid or node.nodeid or ".", network, _safe(_missing, problem))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    yield
    if pyti_network.take() or (call.excinfo is not None and _safe(_is_network, call.excinfo.value)):
        _networked.add(item.nodeid)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol():
    try:
        signal.signal(signal.SIGALRM, _on_alarm)
        signal.setitimer(signal.ITIMER_REAL, TEST_SECONDS)
    except (ValueError, OSError):
        pass
    yield
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except (ValueError, OSError):
        pass


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report():
    pyti_network.take()


def pytest_runtest_logstart(nodeid):
    pyti_network.take()
    _say("s", nodeid)


def pytest_runtest_logreport(report):
    outcome = None
    if report.outcome == "failed":
        outcome = "failed" if report.when == "call" else "error"
        if report.nodeid in _networked:
            outcome = "needs-network"
    elif hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.outcome == "skipped" else "xpassed"
    elif report.outcome == "skipped":
        outcome = "skipped"
    elif report.outcome == "passed" and report.when == "call":
        outcome = "passed"
    if outcome is not None:
        _ended.setdefault(report.nodeid, set()).add(outcome)


def pytest_runtest_logfinish(nodeid):
    _say_lines()
    seen = _ended.pop(nodeid, set())
    _networked.discard(nodeid)
    for outcome in WORST_FIRST:
        if outcome in seen:
            _say("t", nodeid, outcome)
            return
    _say("t", nodeid, "error")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus):
    _say_lines()
    _say("e", int(exitstatus))
