"""PID 1 of the guest after `init`: sets the machine up, takes the job, lets `tasks` run it, sends the raw data out.

Only this process and its worker child hold the channel; package code never runs in either (see `sandboxed`).
"""

import ctypes
import fcntl
import hashlib
import json
import os
import platform
import socket
import struct
import sys
import tarfile
import time
import traceback

HOME = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HOME)

from channel import GO, Channel  # noqa: E402  (isolated mode leaves the script's folder off the path)

MAGIC = b"PYTIJOB1"
HEADER_BYTES = 4096
JOB_DIR = "/srv/job"
libc = ctypes.CDLL(None, use_errno=True)


def mount(kind, target, options="", flags=0):
    if libc.mount(kind.encode(), target.encode(), kind.encode(), flags, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind} on {target}")


def write(path, text):
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        pass  # the knob does not exist in every guest kernel


def set_up():
    nosuid_nodev = 2 | 4
    mount("sysfs", "/sys", flags=nosuid_nodev)
    try:
        mount("cgroup2", "/sys/fs/cgroup", flags=nosuid_nodev)
    except OSError:
        pass  # `sandboxed` falls back to rlimits and says so
    for folder, options in (("/dev/shm", "mode=1777,size=64m"), ("/srv", "mode=0755")):
        os.makedirs(folder, exist_ok=True)
        mount("tmpfs", folder, options, nosuid_nodev)
    os.makedirs("/dev/pts", exist_ok=True)
    try:
        mount("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666")
    except OSError:
        pass
    for link, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        if not os.path.lexists(f"/dev/{link}"):
            os.symlink(target, f"/dev/{link}")
    public = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
    for entry in os.scandir("/dev"):
        if not entry.is_dir(follow_symlinks=False) and not entry.is_symlink() and entry.name not in public:
            os.chmod(entry.path, 0o600)
    raise_loopback()
    socket.sethostname("workstation")
    os.umask(0o022)
    for knob, value in (("kernel/modules_disabled", "1"), ("kernel/dmesg_restrict", "1"), ("kernel/sysrq", "0"), ("kernel/unprivileged_bpf_disabled", "1"), ("kernel/io_uring_disabled", "2"), ("user/max_user_namespaces", "0"), ("kernel/kptr_restrict", "2"), ("kernel/core_pattern", "|/bin/false")):
        write(f"/proc/sys/{knob}", value)
    write("/proc/self/oom_score_adj", "-1000")
    with open("/etc/pyti-guest", "w") as file:
        file.write("this is a PyTI guest\n")


def raise_loopback():
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def seed_randomness(entropy):
    """A fresh or restored guest has no randomness of its own: two clones would draw the same keys (sandbox.md 7)."""
    RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
    descriptor = os.open("/dev/urandom", os.O_WRONLY)
    try:
        fcntl.ioctl(descriptor, RNDADDENTROPY, struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy)
        fcntl.ioctl(descriptor, RNDRESEEDCRNG)
    finally:
        os.close(descriptor)


class Hashing:
    """File-like view of exactly `size` bytes of the job disk that hashes what goes by."""

    def __init__(self, file, size):
        self._file, self._left, self.digest = file, size, hashlib.sha256()

    def read(self, count=-1):
        data = self._file.read(self._left if count < 0 else min(count, self._left))
        self._left -= len(data)
        self.digest.update(data)
        return data


def read_job(go):
    """Copies the job disk's members out. The tar was written by the volunteer, member names are checked all the same."""
    device = "/dev/ubdb" if os.path.exists("/dev/ubdb") else "/dev/vdb"
    files = {}
    plan = None
    with open(device, "rb", buffering=1 << 20) as disk:
        header = disk.read(HEADER_BYTES)
        magic, size = struct.unpack(">8sQ", header[:16])
        if magic != MAGIC or size != go["job"]["bytes"]:
            raise ValueError("job disk has no valid header")
        source = Hashing(disk, size)
        with tarfile.open(fileobj=source, mode="r|", bufsize=1 << 20) as archive:
            for member in archive:
                data = archive.extractfile(member)
                if member.name == "plan.json":
                    plan = json.load(data)
                    continue
                folder, name = member.name.split("/")
                if folder != "files" or not member.isfile() or name.startswith("."):
                    raise ValueError(f"unexpected member {member.name!r} on the job disk")
                os.makedirs(JOB_DIR, exist_ok=True)
                path = os.path.join(JOB_DIR, name)
                with open(path, "wb") as target:
                    while chunk := data.read(1 << 20):
                        target.write(chunk)
                os.chmod(path, 0o444)
                files[name] = path
        while source.read(1 << 20):
            pass
        if source.digest.hexdigest() != go["job"]["sha256"]:
            raise ValueError("job disk does not have the announced digest")
    return plan, files


def work(channel, go):
    seed_randomness(bytes.fromhex(go["entropy"]))
    time.clock_settime(time.CLOCK_REALTIME, go["clockMs"] / 1000)
    channel.event("setup", "start")
    plan, files = read_job(go)
    import tasks

    channel.event("setup", "end")
    record, logs = tasks.run(plan, files, "/run/pyti/upper", channel.event, time.monotonic)
    for name, data in sorted(logs.items()):
        channel.item(name, data)
    channel.item("guest.json", json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))
    channel.finish()


def power_off():
    os.sync()
    libc.reboot(0x4321FEDC)


def main():
    try:
        set_up()
        channel = Channel()
        channel.hello(version=1, kernel=platform.release(), python=platform.python_version())
        kind, go = channel.receive()
        if kind != GO:
            raise ValueError(f"frame of type {kind} instead of GO")
        worker = os.fork()
        if worker == 0:
            try:
                work(channel, go)
                os._exit(0)
            except BaseException:
                channel.event("setup", "progress", traceback.format_exc()[-480:])
                os._exit(1)
        # PID 1 inherits every orphan of the package under test and must reap it.
        while os.wait()[0] != worker:
            pass
    except BaseException:
        traceback.print_exc()
    finally:
        power_off()


main()
