"""
`hostile_record.py SEED`: the record the agent hands out when everything it reads is hostile, as JSON on the standard output. The
steps of all tasks are real, in folders of their own and without root; the runs of package code are made up. The host's side,
`test/fuzz/guest-record.test.ts`, reads it with its own schema.
"""

import base64
import json
import os
import random
import sys
import tempfile
import types
from contextlib import ExitStack
from unittest import mock

import made
import paths

NUMBERS = (0, 1, 2, 9, 127, 255)
#: Of what a file name can hold.
PIECES = (
    b"\xff\xfe\x80", b"\x01\x7f\n\t", b"'\"\\", "\N{GRINNING FACE}".encode(), "\u00e9\u202e\ufeff".encode(), b"__proto__", b"constructor", b"{pid} 4711 /tmp/tmpab12cd3_",
    b"{site}", b"-", b"#2", b"12345", b".", b"0x7f00aa11bb22",
)  # fmt: skip
PY = ("__proto__", "constructor", "toString", "\u00e9" * 60, "n" * 250, "\U00020000" * 30, "_1")


def settle_in(root):
    """The agent with all its folders below another root."""
    with open(f"{paths.AGENT}/layout.py", encoding="utf-8") as file:
        source = file.read().replace('"/home/user"', f'"{root}/home"').replace('"/work"', f'"{root}/work"')
    sys.modules["layout"] = layout = types.ModuleType("layout")
    exec(source, layout.__dict__)
    for path in (layout.HOME, layout.BUILD, layout.BUILD_VENV, layout.WHEEL, layout.VENV, layout.TESTS, layout.TOOLS, layout.LINT, f"{root}/upper"):
        os.makedirs(path)
    return layout


class World:
    """What package code would have done: `sandboxed.run` and the runs of an observation."""

    def __init__(self, root, layout, dice):
        import events
        import observation
        import sandboxed

        self.root, self.layout, self.dice, self.sandboxed = root, layout, dice, sandboxed
        self.kinds = sorted(events.KINDS)
        self.watched = observation.Observation.__new__(observation.Observation)
        vars(self.watched).update(events=events.Events(), environment={}, own_paths=set(), run=self.run, enter=lambda *_, **__: None)
        vars(self.watched).update(_audit=None, _sinkhole=None, _watch=None, _evidence=[], _traced=mock.Mock(was_cut=True))

    def name(self, most=200):
        """Bytes a file may be called."""
        data = b"".join(self.dice.choices(PIECES, k=self.dice.randint(1, 40)))
        return data.replace(b"/", b":")[: self.dice.choice((1, 30, most))].strip(b".") or b"\xff"

    def text(self):
        """Any string there is: half characters, controls, far too long."""
        dice = self.dice
        pieces = [dice.choice(("", "\0", "\ud800", "\udc80", "x" * 3000, "\U0001f600" * 700, "4711 " * 400, "__proto__", "/tmp/tmpab12cd3_/", "1" * 5000)) for _ in range(dice.randint(1, 4))]
        return "".join(pieces)[: dice.choice((1, 999, 1000, 1001, 20_000))]

    def outcome(self, **more):
        dice = self.dice
        kind = dice.choice(("passed", "exit", "signal", "limit"))
        if kind == "passed":
            return self.sandboxed.Outcome(exit_code=0, **more)
        if kind == "exit":
            return self.sandboxed.Outcome(exit_code=dice.choice(NUMBERS[1:]), reason="exit-code", **more)
        name = self.sandboxed.signal_name(dice.randint(1, 127))
        return self.sandboxed.Outcome(signal=name, reason="signal" if kind == "signal" else dice.choice(sorted(self.sandboxed.RESOURCE_REASONS)), **more)

    def work(self, work, cwd, env, limits, log, want_result=False, **_):
        """`sandboxed.run`."""
        if not callable(work):
            return self.lint(work.arguments["config_path"])
        try:
            return self.sandboxed.Outcome(exit_code=0, result=work())
        except Exception:
            return self.sandboxed.Outcome(exit_code=1, reason="exit-code")

    def run(self, work, cwd, env, limits, log, *_, watch=None, **__):
        """`Observation.run`."""
        log.write(self.text().encode("utf-8", "surrogatepass"))
        for _ in range(self.dice.randint(0, 20)):
            self.watched.events.add(self.dice.choice(self.kinds), self.text(), by=self.name(), at=self.text(), times=self.dice.choice(NUMBERS))
        self.watched.events.know_pids({4711, 12345})
        with open(os.fsencode(f"{self.root}/upper/") + self.name(), "wb"):
            pass
        if watch is not None:
            watch.feed(b"".join(self.recorded() for _ in range(300)))
            return self.outcome()
        arguments = getattr(work, "arguments", {}).get("arguments", ())
        if "wheel" in arguments[:1]:
            names = [self.text()[:3000].encode("utf-8", "replace").decode().replace("\0", "") for _ in range(30)]
            made.wheel(self.layout.WHEEL, "evil", {**{f"evil/{name}{at}": "" for at, name in enumerate(names)}, "evil/__init__.py": ""})
            return self.sandboxed.Outcome(exit_code=0)
        if "install" in arguments[:1]:
            self.install()
            lines = [f"evil {self.text()}".encode("utf-8", "surrogatepass") for _ in range(50)]
            return self.sandboxed.Outcome(exit_code=0, result=b"[pyti] pip check\n" + b"\n".join(lines))
        return self.outcome(result=self.imported())

    def imported(self):
        dice = self.dice
        said = {"error": dice.choice((None, self.text())), "missing": dice.choice((None, self.text()))}
        return dice.choice((json.dumps(said).encode(), b"[" * 5000, b"{", b"\xff\xfe[", b"1" * 5000, b'{"error": NaN, "missing": 1}', b""))

    def recorded(self):
        """A line of the recorder, or one that cannot be."""
        node, outcome = self.text()[:3000], self.dice.choice(("passed", "failed", "error", "skipped", "flaky", 1))
        rows = (["s", node], ["t", node, outcome], ["c", node, True, self.text()], ["l", "evil/__init__.py", [1, -1, 10**400]], ["e", 10**30], ["e", True])
        line = self.dice.choice((*(json.dumps(row).encode() for row in rows), b"[" * 60_000, b"NaN", b'{"__proto__": 1}'))
        start = json.dumps(["s", node]).encode() + b"\n" + json.dumps(["t", node, "failed"]).encode() + b"\n"
        return (start if self.dice.random() < 0.5 else b"") + line + b"\n"

    def install(self):
        """Files with any name in site-packages and its RECORD."""
        import csv

        site = os.fsencode(self.layout.SITE)
        scripts = os.fsencode(self.layout.SCRIPTS)
        info = site + b"/evil-1.0.dist-info"
        for folder in (info, site + b"/evil", scripts):
            os.makedirs(folder, exist_ok=True)
        names = [b"evil/" + self.name() + b".py" for _ in range(40)] + [b"evil/" + name.encode() + b".py" for name in PY]
        names += [b"evil/" + b"/".join([b"\xff" * 250] * depth) + b"/deep.py" for depth in (5, 12)] + [b"evil/__init__.py"]
        names += ["/".join(["\u00e9" * 100] * 10).encode() + b"/m.py"]
        # One that breaks off its line would void the whole file.
        commands = [os.fsdecode(self.name().translate(None, b"\n\t=")) or "x" for _ in range(20)]
        entries = "[console_scripts]\n" + "".join(f"{name.encode('utf-8', 'replace').decode()} = evil:x\n" for name in commands)
        for path in [site + b"/" + name for name in names] + [scripts + b"/" + os.fsencode(name) for name in commands]:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(b"x = 1\n")
        with open(info + b"/entry_points.txt", "w", encoding="utf-8") as file:
            file.write(entries)
        rows = [os.fsdecode(name) for name in names] + [f"../../../bin/{name}" for name in commands]
        rows += ["evil-1.0.dist-info/entry_points.txt", "../../../../../etc/passwd", "\0", "x" * 5000]
        with open(info + b"/RECORD", "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            csv.writer(file).writerows([name, "", ""] for name in rows if "\0" not in name or sys.version_info >= (3, 11))

    def lint(self, config):
        import linter

        site, written = self.layout.SITE, []
        found = [(self.dice.choice(("E501", "X" * 300, "", "1", "__proto__")), f"{site}/{self.text()[:6000]}x", self.dice.choice((None, -1, 2**40)), 0) for _ in range(3000)]
        with mock.patch.dict(linter.TOOLS, dict.fromkeys(linter.TOOLS, lambda *_: (self.text() or "1", found, 7))), ExitStack() as stack:
            stack.enter_context(mock.patch.object(linter.os, "chdir"))
            stack.enter_context(mock.patch.object(linter.os, "write", lambda _, data: written.append(bytes(data)) or len(data)))
            linter.run(config)
        return self.sandboxed.Outcome(exit_code=0, result=b"".join(written))


def subject(folder, world):
    """A source distribution whose names and headers are hostile."""
    headers = "".join(
        f"{name}: {world.text()[:2000].encode('utf-8', 'replace').decode()}\n"
        for name in ("License-Expression", "License", "Requires-Python", "License-File", "Classifier", "Provides-Extra", "Author-Email")
        for _ in range(3)
    ).replace("\0", "")
    files = {world.name().decode("utf-8", "surrogateescape") + suffix: "import os\n" for suffix in (".py", ".pth", "/LICENSE") * 10}
    tests = {f"tests/{at:03}{'d' * 90}/test_a.py": "def test_a(): pass\n" for at in range(5)}
    return made.sdist(folder, "evil", {**files, **tests, "PKG-INFO": f"Metadata-Version: 2.4\nName: evil\nVersion: 1.0\n{headers}\n", "setup.py": "\0"})


class Host:
    """Takes what the agent says and hands out; no channel."""

    def __init__(self):
        self.items, self.events = {}, []

    def item(self, name, data, at=None):
        self.items[name] = data

    def finish(self):
        pass


def record(seed, root):
    layout = settle_in(root)
    import channel
    import fitting
    import main
    import sandboxed
    import tasks
    from job import Job
    from tree import Tree

    world = World(root, layout, random.Random(seed))
    filename = "evil-1.0.tar.gz"
    plan = {
        "subject": {"project": "evil", "version": "1.0", "filename": filename, "kind": "sdist"},
        "packages": {"build": [], "run": [], "test": []}, "incomplete": [], "hashSeed": 0, "network": "dead", "clockDays": [1, 36_500], "seed": "00" * 16,
        "limits": {"taskSeconds": 600, "memoryMiB": 512, "processes": 64, "logBytes": 262_144, "outputBytes": 1 << 20},
    }  # fmt: skip
    host, records = Host(), {}
    line = mock.Mock(_send_json=lambda kind, value: host.events.append(value))
    with ExitStack() as stack:
        patch = lambda *what: stack.enter_context(mock.patch.object(*what))  # noqa: E731
        patch(sandboxed, "run", world.work)
        patch(os, "chown", lambda *_: None)
        job = Job(
            plan=plan, files={filename: subject(root, world)}, tree=Tree(f"{root}/upper"), observation=world.watched,
            emit=lambda *said: channel.Channel.event(line, *said), set_clock=lambda seconds: None,
        )  # fmt: skip
        for task, step in tasks.STEPS:
            world.watched.events = type(world.watched.events)()
            report = step(job)
            evidence = world.watched.leave(task, report.stable)
            job.log(f"evidence-{task}").write(evidence or world.text().encode("utf-8", "replace"))
            job.done[task] = report.stable
            records[task] = report.record()
            job.emit(task, "end", world.text())
    fitting.fit({task: entry["stable"] for task, entry in records.items()})
    logs = {name: log.content() for name, log in job.logs.items() if log.total}
    whole = {"schema": "pyti.guest/3", "python": sys.version.split()[0], "observers": list(tasks.Observation.observers.__globals__["ORDER"]), "tasks": records}
    main.hand_out(host, whole, logs, serial_bytes=1 << 40)
    return host


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pyti-record-") as folder:

        handed = record(int(sys.argv[1]), folder)

    guest = base64.b64encode(handed.items.pop("guest.json")).decode()
    print(json.dumps({"record": guest, "events": handed.events, "logs": {name: len(data) for name, data in handed.items.items()}}))
