#!/usr/bin/env python3
"""
Developer harness: runs the agent's tasks on distribution files without a VM, as root, in namespaces (no network) and a
chroot of the unpacked image below an overlay on a tmpfs. NOT a sandbox for code you do not trust.

  chroot_harness.py --root IMAGE_DIR [--build a.whl ...] [--run b.whl ...] [--test c.whl ...] [--twice] SUBJECT
"""

import argparse
import ctypes
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(os.path.dirname(HERE), "agent")
TASKS = ["static", "build", "install", "start", "import", "scripts", "unittest", "quality", "clocks", "idle", "uninstall"]

RUNNER = """
import json, sys
sys.path.insert(0, "/run/pyti/agent")
import tasks
if UNOBSERVED:
    import observation, tracer
    tracer.STRACE = "/nonexistent"
    observation.Observation._attempt = lambda self, name, *rest: self._failed.add(name)
if WARM:
    import tools
    tools.warm()
with open("/job/plan.json") as file:
    plan = json.load(file)
files = {name: "/job/files/" + name for name in json.load(open("/job/names.json"))}
def emit(task, state, message=None):
    print(f"{task} {state} {message or ''}".rstrip(), file=sys.stderr)
# The date belongs to the host: tasks only believe they set it.
record, logs = tasks.run(plan, files, "/run/pyti/upper", emit, set_clock=lambda seconds: None)
for name, data in logs.items():
    with open("/out/" + name.replace("/", "-"), "wb") as file:
        file.write(data)
with open("/out/record.json", "w") as file:
    json.dump(record, file)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="unpacked image")
    parser.add_argument("--agent", default=AGENT)
    for group in ("build", "run", "test"):
        parser.add_argument(f"--{group}", nargs="*", default=[], help=f"wheels of the group `{group}`")
    parser.add_argument("--incomplete", nargs="*", default=[])
    parser.add_argument("--tasks", nargs="*", default=TASKS)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--memory", type=int, default=512, help="MiB")
    parser.add_argument("--disk", type=int, default=512, help="MiB")
    parser.add_argument("--processes", type=int, default=128)
    parser.add_argument("--output", type=int, default=16 * 1024 * 1024, help="bytes a task may print")
    parser.add_argument("--network", choices=("dead", "sinkhole"), default="dead")
    parser.add_argument("--days", nargs="*", type=int, default=[])
    parser.add_argument("--logs", help="folder for logs and records")
    parser.add_argument("--warm", action="store_true", help="load the tools first, as the frame `warm` does")
    parser.add_argument("--unobserved", action="store_true", help="watch changes only, to see what watching costs")
    parser.add_argument("--twice", action="store_true", help="run again and compare the stable halves")
    parser.add_argument("--quiet", action="store_true", help="no record, only the summary")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    parser.add_argument("subject")
    options = parser.parse_args()
    if options.inner:
        return inner(options, options.inner)
    records = [once(options) for _ in range(2 if options.twice else 1)]
    if not options.quiet:
        print(json.dumps(records[0], indent=1))
    print(summary(records[0]))
    if options.twice:
        different = compare(*records)
        print("stable halves: " + ("EQUAL" if not different else "DIFFERENT: " + ", ".join(different)))
        for line in differences(*records, different):
            print(f"  {line[:600]}")
        return 1 if different else 0
    return 0


def once(options):
    folder = tempfile.mkdtemp(prefix="pyti-harness-")
    try:
        os.makedirs(f"{folder}/job/files")
        os.makedirs(f"{folder}/out")
        names = {}
        for path in [options.subject, *options.build, *options.run, *options.test]:
            names[os.path.basename(path)] = path
            shutil.copy(path, f"{folder}/job/files/{os.path.basename(path)}")
        dump(f"{folder}/job/plan.json", plan_of(options))
        dump(f"{folder}/job/names.json", sorted(names))
        os.chmod(folder, 0o755)
        command = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"]
        command += [sys.executable, os.path.abspath(__file__), "--inner", folder, *sys.argv[1:]]
        sys.stderr.flush()
        group = own_cgroup()
        subprocess.run(command, check=True, env={"PATH": os.environ["PATH"]}, preexec_fn=lambda: enter(group))
        if group:
            os.rmdir(group)
        if options.logs:
            os.makedirs(options.logs, exist_ok=True)
            shutil.copytree(f"{folder}/out", options.logs, dirs_exist_ok=True)
        with open(f"{folder}/out/record.json", encoding="utf-8") as file:
            return json.load(file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def own_cgroup():
    """Several harnesses at once must not share control groups, which the agent names alike in every guest."""
    for line in open("/proc/self/mounts", encoding="utf-8"):
        kind, folder = line.split()[2], line.split()[1]
        if kind == "cgroup2":
            return tempfile.mkdtemp(prefix="pyti-harness-", dir=folder)
    return None


def enter(group):
    if group:
        with open(f"{group}/cgroup.procs", "w", encoding="utf-8") as file:
            file.write("0")


def plan_of(options):
    name = os.path.basename(options.subject)
    wheel = name.endswith(".whl")
    parts = name.split("-") if wheel else re.sub(r"\.(tar\.gz|zip)$", "", name).rsplit("-", 1)
    return {
        "schema": "pyti.plan/2",
        "subject": {
            "project": re.sub(r"[-_.]+", "-", parts[0]).lower(),
            "version": parts[1],
            "filename": name,
            "kind": "wheel" if wheel else "sdist",
        },
        "tasks": options.tasks,
        "packages": {group: sorted(map(os.path.basename, getattr(options, group))) for group in ("build", "run", "test")},
        "incomplete": options.incomplete,
        "limits": {
            "taskSeconds": options.seconds,
            "memoryMiB": options.memory,
            "processes": options.processes,
            "logBytes": 256 * 1024,
            "outputBytes": options.output,
        },
        "hashSeed": 7,
        "network": options.network,
        "clockDays": options.days,
        "seed": "00112233445566778899aabbccddeeff",
    }


def inner(options, folder):
    """PID 1 of the namespaces: builds the guest's file system, then becomes the guest's Python."""
    mount("none", "/", None, 0x4000 | 0x40000)
    layer, merged = f"{folder}/layer", f"{folder}/merged"
    for path in (layer, merged):
        os.makedirs(path, exist_ok=True)
    mount("tmpfs", layer, "tmpfs", 0, f"size={options.disk}m,nr_inodes=200000,mode=0700")
    os.makedirs(f"{layer}/upper")
    os.makedirs(f"{layer}/work")
    os.chmod(f"{layer}/upper", 0o755)
    mount("overlay", merged, "overlay", 0, f"lowerdir={options.root},upperdir={layer}/upper,workdir={layer}/work,index=off")
    for name in ("job", "out"):
        os.makedirs(f"{merged}/{name}", exist_ok=True)
    os.chmod(f"{merged}/out", 0o700)
    # As in guest/init: the layer and the agent sit where only root can look.
    os.makedirs(f"{layer}/agent")
    os.makedirs(f"{merged}/run/pyti")
    mount(layer, f"{merged}/run/pyti", None, 0x1000)
    mount(options.agent, f"{merged}/run/pyti/agent", None, 0x1000)
    shutil.copytree(os.path.join(os.path.dirname(HERE), "rules"), f"{layer}/rules")
    mount(f"{folder}/job", f"{merged}/job", None, 0x1000)
    mount(f"{folder}/out", f"{merged}/out", None, 0x1000)
    mount("proc", f"{merged}/proc", "proc")
    mount("tmpfs", f"{merged}/sys", "tmpfs")
    os.makedirs(f"{merged}/sys/fs/cgroup")
    mount("tmpfs", f"{merged}/dev", "tmpfs", 0, "mode=0755")
    for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
        os.mknod(f"{merged}/dev/{name}", 0o020666, os.makedev(1, minor))
        os.chmod(f"{merged}/dev/{name}", 0o666)
    os.mkdir(f"{merged}/dev/shm", 0o1777)
    mount("tmpfs", f"{merged}/dev/shm", "tmpfs", 0, "mode=1777,size=64m")
    loopback_up()
    socket.sethostname("workstation")
    os.chroot(merged)
    os.chdir("/")
    environment = {"PATH": "/usr/bin:/bin"}
    os.execve("/usr/bin/python3", ["/usr/bin/python3", "-I", "-S", "-B", "-c", f"WARM, UNOBSERVED = {options.warm}, {options.unobserved}\n{RUNNER}"], environment)


def mount(source, target, kind, flags=0, data=""):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def loopback_up():
    with socket.socket() as handle:
        request = struct.pack("16sh14x", b"lo", 1 | 0x40)
        fcntl.ioctl(handle, 0x8914, request)


def dump(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def compare(one, other):
    names = set(one["tasks"]) | set(other["tasks"])

    def text(record, name):
        return json.dumps(record["tasks"].get(name, {}).get("stable"), sort_keys=True)

    return sorted(name for name in names if text(one, name) != text(other, name))


def differences(one, other, names):
    """The fields, and the rows of lists, that only one of two records has."""
    for name in names:
        left, right = (record["tasks"].get(name, {}).get("stable", {}) for record in (one, other))
        for field in sorted(left.keys() | right.keys()):
            if left.get(field) == right.get(field):
                continue
            for sign, mine, others in (("-", left, right), ("+", right, left)):
                yield from (f"{sign} {name} {field}: {row}" for row in rows_of(mine.get(field)) if row not in rows_of(others.get(field)))


def rows_of(value):
    if isinstance(value, list):
        return [json.dumps(row, sort_keys=True) for row in value]
    if isinstance(value, dict):
        return [json.dumps(item) for item in sorted(value.items())]
    return [json.dumps(value)]


def summary(record):
    lines = []
    for name, task in record["tasks"].items():
        stable = task["stable"]
        words = [name, stable["status"], stable.get("reason", ""), stable.get("signal", ""), str(stable.get("exitCode", ""))]
        counts = {}
        for outcome in stable.get("tests", {}).values():
            counts[outcome] = counts.get(outcome, 0) + 1
        for module in stable.get("modules", []):
            counts[module["outcome"]] = counts.get(module["outcome"], 0) + 1
        for key in ("files", "conflicts", "events", "scripts", "left", "shifts"):
            if stable.get(key):
                counts[key] = len(stable[key])
        if "wheel" in stable:
            counts["members"] = len(stable["wheel"]["files"])
        for tool in stable.get("tools", []):
            counts[tool["tool"]] = f"{tool['status']}:{sum(tool['counts'].values())}"
        words += [f"{key}={value}" for key, value in counts.items()]
        words += [f"changes={len(stable['changes'])}", f"{task['volatile']['milliseconds']} ms"]
        lines.append("  " + " ".join(word for word in words if word))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
