"""The unprivileged user, its home and the folders of a job. Idempotent."""

import os
import shutil
import sys

import layout
from sandboxed import GID, UID

LINES = {
    "/etc/passwd": ("user:", f"user:x:{UID}:{GID}:user:{layout.HOME}:/bin/sh\n"),
    "/etc/group": ("user:", f"user:x:{GID}:\n"),
    "/etc/hosts": ("127.0.0.1", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 workstation\n"),
}


#: Debian's does nothing here, and hides the one a distribution may bring.
SITECUSTOMIZE = f"/usr/lib/python{sys.version_info[0]}.{sys.version_info[1]}/sitecustomize.py"


def prepare():
    """Makes the account, an own home, and the work folders."""
    if os.path.lexists(SITECUSTOMIZE):
        os.unlink(SITECUSTOMIZE)
    for path, (start, line) in LINES.items():
        text = _read(path)
        if not any(entry.startswith(start) for entry in text.splitlines()):
            with open(path, "a", encoding="utf-8") as file:
                file.write(line if not text or text.endswith("\n") else "\n" + line)
    for path in ("/tmp", "/var/tmp", "/dev/shm"):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o1777)
    os.makedirs(layout.WORK, exist_ok=True)
    os.chmod(layout.WORK, 0o755)
    os.makedirs(layout.AGENT_PRIVATE, mode=0o700, exist_ok=True)
    for path in (layout.TOOLS, layout.LINT):
        os.makedirs(path, exist_ok=True)
    for path in (layout.HOME, layout.BUILD, layout.BUILD_VENV, layout.WHEEL, layout.VENV, layout.TESTS):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        os.chown(path, UID, GID)


def publish(name, folder):
    """Copies a program of the agent to where the user can read it; its path there."""
    target = f"{folder}/{name}"
    shutil.copyfile(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), target)
    os.chmod(target, 0o644)
    return target


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
