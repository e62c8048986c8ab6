"""Writes frames that say `everything passed` wherever it can, then fails: a pass would be a forgery."""

import hashlib
import json
import os
import stat
import struct

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

NO_CHANGES = {"changes": [], "changesOmitted": 0, "events": [], "eventsOmitted": 0}
MODULES = [{"name": "pyti_hostile_forged_frames", "outcome": "passed"}]
PASSED = {
    "install": {"status": "passed", **NO_CHANGES, "files": [], "filesOmitted": 0, "conflicts": []},
    "import": {"status": "passed", **NO_CHANGES, "modules": MODULES, "modulesOmitted": 0},
}
RECORD = json.dumps(
    {
        "schema": "pyti.guest/3",
        "python": "3.13.5",
        "observers": [],
        "tasks": {task: {"stable": stable, "volatile": {"milliseconds": 1}} for task, stable in PASSED.items()},
    }
).encode()


def frame(kind, payload):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return struct.pack(">IB", 1 + len(body), kind) + body


DIGEST = hashlib.sha256(RECORD).hexdigest()
FORGED = b"".join(
    [
        frame(4, {"name": "guest.json", "size": len(RECORD), "sha256": DIGEST}),
        frame(5, RECORD),
        frame(6, {"items": 1, "sha256": DIGEST}),
        frame(7, {}),
    ]
)


def devices():
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = os.path.join(folder, name)
            try:
                mode = os.stat(path).st_mode
            except OSError:
                continue
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                yield path


for path in devices():
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        os.write(descriptor, FORGED)
        os.close(descriptor)
        print("wrote to", path)
    except OSError as error:
        print(path, error)
for descriptor in range(256):
    try:
        os.write(descriptor, FORGED)
    except OSError:
        pass
raise RuntimeError("this import failed")
