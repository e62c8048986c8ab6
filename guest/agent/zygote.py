"""
A bare, root-owned interpreter that imports each module in a forked child of the unprivileged user. Package code never
runs in this process, and the child holds nothing of the agent: started as `python3 -s -S -P -B zygote.py CONFIG`.
"""

import json
import os
import sys
import time

AGENT = os.path.dirname(os.path.abspath(__file__))
sys.path.append(AGENT)

import cgroups  # noqa: E402
import layout  # noqa: E402
import sandboxed  # noqa: E402
from bounded_log import BoundedLog  # noqa: E402

MODULE_SECONDS = 30.0
RESULT_BYTES = 4096


def main(config_path):
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    log = BoundedLog(config["logBytes"])
    given = config["limits"]
    limits = sandboxed.Limits(given["seconds"], given["memoryBytes"], given["processes"], given["outputBytes"])
    group = cgroups.create("pyti-import", limits.memory_bytes, limits.processes)
    deadline = time.monotonic() + limits.seconds
    answers, leftover, cpu = [], 0, 0
    for name in config["modules"]:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        answer, outcome = try_import(name, config, limits.within(min(remaining, MODULE_SECONDS)), group, log)
        if outcome.reason == "timeout" and remaining <= MODULE_SECONDS:
            break
        if outcome.reason == "process-limit":
            # The peak of a group stays: the next module needs a fresh one.
            group.remove()
            group = cgroups.create(f"pyti-import-{len(answers)}", limits.memory_bytes, limits.processes)
        leftover += outcome.leftover
        cpu += outcome.cpu_ms
        answers.append(answer)
    totals = {
        "leftover": leftover,
        "cpu": _first(group.cpu_milliseconds(), cpu),
        "peak": group.peak_bytes() or 0,
        "output": log.total,
    }
    group.remove()
    json.dump({"answers": answers, "totals": totals, "log": log.content().decode("utf-8", "backslashreplace")}, sys.stdout)


def try_import(name, config, limits, group, log):
    """One module in one fresh process: its answer and the Outcome."""
    before = log.total
    outcome = sandboxed.run(
        lambda: import_here(name, config), layout.HOME, config["env"], limits, log, group=group, want_result=True
    )
    answer = {"name": name, "outcome": "passed", "reason": outcome.reason}
    said = _parse(outcome.result)
    if outcome.reason == "signal":
        answer.update(outcome="signal", signal=outcome.signal)
    elif outcome.reason == "timeout":
        answer["outcome"] = "timeout"
    elif outcome.reason not in (None, "exit-code"):
        answer["outcome"] = "killed"
    elif said is None:
        answer["outcome"] = "exit"
    elif said["error"]:
        answer.update(outcome="error", error=said["error"], missing=said["missing"])
    if answer["outcome"] != "passed" or log.total != before:
        log.note(f"import {name}: {answer['outcome']} {outcome.reason or ''}".rstrip())
    return answer, outcome


def import_here(name, config):
    """Runs in the child: becomes a plain interpreter of the environment, then imports."""
    import importlib
    import site
    import traceback
    import types

    for key, module in list(sys.modules.items()):
        if os.path.dirname(getattr(module, "__file__", None) or "") == AGENT:
            del sys.modules[key]
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path.remove(AGENT)
    sys.argv = ["-c"]
    sys.prefix = sys.exec_prefix = config["venv"]
    sys.executable = f"{config['venv']}/bin/python"
    site.setquit()
    site.setcopyright()
    site.sethelper()
    site.addsitedir(config["site"])
    error = missing = None
    try:
        importlib.import_module(name)
    except SystemExit:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(0)
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
    # No interpreter shutdown: threads the import started must not keep the process.
    os._exit(1 if error else 0)


def _missing_module(problem):
    """The module that was not found, when that is why an import failed: the error itself or what it came from."""
    for _ in range(10):
        if isinstance(problem, ModuleNotFoundError):
            return problem.name[:1000] if isinstance(problem.name, str) else None
        if not isinstance(problem, ImportError):
            return None
        problem = problem.__cause__ or problem.__context__
    return None


def _parse(data):
    try:
        said = json.loads(data[:RESULT_BYTES])
    except ValueError:
        return None
    if not isinstance(said, dict) or set(said) != {"error", "missing"}:
        return None
    return said if all(value is None or isinstance(value, str) for value in said.values()) else None


def _first(value, otherwise):
    return otherwise if value is None else value


if __name__ == "__main__":
    main(sys.argv[1])
