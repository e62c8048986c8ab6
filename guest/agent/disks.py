"""The guest's raw disks: the one the job comes on and the one large results go on. No file system, no parser of one."""

import fcntl
import hashlib
import json
import os
import struct
import tarfile

MAGIC = b"PYTIJOB1"
HEADER_BYTES = 4096
JOB_DIR = "/srv/job"
JOB_DISKS = ("/dev/ubdb", "/dev/vdb")
OUTPUT_DISKS = ("/dev/ubdc", "/dev/vdc")
PLAN_BYTES = 16 * 1024 * 1024
BLKFLSBUF = 0x1261
CHUNK = 1 << 16


def find(candidates):
    """The first device there is, None without one."""
    return next((path for path in candidates if os.path.exists(path)), None)


def read_job(expected, device=None, folder=JOB_DIR):
    """
    Copies the job disk's members out: (plan, file name -> path). `expected`: bytes and sha256 of the tar. The disk was
    written after the guest had booted, so nothing the kernel knows of it holds. Raises ValueError for any other disk.
    """
    device = device or find(JOB_DISKS)
    if device is None:
        raise ValueError("there is no job disk")
    with open(device, "rb", buffering=0) as disk:
        forget(disk)
        header = disk.read(HEADER_BYTES)
        magic, size = struct.unpack(">8sQ", header[:16]) if len(header) == HEADER_BYTES else (b"", 0)
        if magic != MAGIC or size != expected["bytes"]:
            raise ValueError("the job disk has no valid header")
        source = Hashing(disk, size)
        plan, files = _unpack(source, folder)
        while source.read(CHUNK):
            pass
        if source.digest.hexdigest() != expected["sha256"]:
            raise ValueError("the job disk does not have the announced digest")
    if plan is None:
        raise ValueError("the job disk holds no plan")
    return plan, files


def forget(disk):
    """Drops what the kernel has cached of a block device."""
    try:
        fcntl.ioctl(disk, BLKFLSBUF)
    except OSError:
        pass  # a plain file, in tests


def write_output(items, device=None):
    """Writes (name, bytes) pairs one after the other; [(name, bytes, offset)]. Raises OSError when they do not fit."""
    device = device or find(OUTPUT_DISKS)
    if device is None:
        raise OSError("there is no output disk")
    placed, at = [], 0
    descriptor = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for name, data in items:
            placed.append((name, data, at))
            view = memoryview(data)
            while view:
                written = os.write(descriptor, view[: 4 * CHUNK])
                view, at = view[written:], at + written
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return placed


class Hashing:
    """File-like view of exactly `size` bytes that hashes what goes by."""

    def __init__(self, file, size):
        self._file, self._left, self.digest = file, size, hashlib.sha256()

    def read(self, count=-1):
        parts = []
        wanted = self._left if count < 0 else min(count, self._left)
        while wanted:
            data = self._file.read(wanted)
            if not data:
                raise ValueError("the job disk ends too early")
            parts.append(data)
            wanted -= len(data)
            self._left -= len(data)
            self.digest.update(data)
        return b"".join(parts)


def _unpack(source, folder):
    """The tar was written by the volunteer; member names are checked all the same."""
    plan, files = None, {}
    os.makedirs(folder, exist_ok=True)
    with tarfile.open(fileobj=source, mode="r|", bufsize=CHUNK) as archive:
        for member in archive:
            if not member.isfile():
                raise ValueError(f"{member.name!r} on the job disk is no file")
            data = archive.extractfile(member)
            if member.name == "plan.json":
                plan = json.loads(data.read(PLAN_BYTES))
                continue
            parent, _, name = member.name.partition("/")
            if parent != "files" or not name or "/" in name or name.startswith("."):
                raise ValueError(f"unexpected member {member.name!r} on the job disk")
            path = os.path.join(folder, name)
            with open(path, "xb") as target:
                while chunk := data.read(CHUNK):
                    target.write(chunk)
            os.chmod(path, 0o444)
            files[name] = path
    return plan, files
