"""Makes the guest a machine a job can run in, and puts everything of it that matters out of package code's reach."""

import ctypes
import fcntl
import os
import struct

import kernel

READ_ONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
PUBLIC_DEVICES = frozenset({"null", "zero", "full", "random", "urandom", "tty", "ptmx"})
KNOBS = (
    # Long pids are told from other numbers in texts that hold them, in whatever kernel can do this.
    ("kernel/pid_max", "4194304"),
    ("kernel/ns_last_pid", "110000"),
    ("kernel/modules_disabled", "1"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/sysrq", "0"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/io_uring_disabled", "2"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/perf_event_paranoid", "4"),
    ("kernel/core_pattern", "|/bin/false"),
    ("kernel/hostname", "workstation"),
    ("user/max_user_namespaces", "0"),
    ("vm/unprivileged_userfaultfd", "0"),
    ("net/core/bpf_jit_harden", "2"),
)


def set_up():
    """Once per boot, before anything of a job is read."""
    for target, kind, flags, options in (
        ("/proc", "proc", NOSUID | NODEV | NOEXEC, ""),
        ("/dev", "devtmpfs", NOSUID | NOEXEC, "mode=0755"),
        ("/sys", "sysfs", READ_ONLY | NOSUID | NODEV | NOEXEC, ""),
        ("/sys/fs/cgroup", "cgroup2", NOSUID | NODEV | NOEXEC, ""),
        ("/dev/shm", "tmpfs", NOSUID | NODEV, "mode=1777,size=64m"),
        ("/dev/pts", "devpts", NOSUID | NOEXEC, "gid=5,mode=620,ptmxmode=666"),
        ("/srv", "tmpfs", NOSUID | NODEV, "mode=0755"),
    ):
        _mount(target, kind, flags, options)
    for link, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        if not os.path.lexists(f"/dev/{link}"):
            os.symlink(f"/proc/self/fd{target}", f"/dev/{link}")
    close_devices()
    _raise_loopback()
    os.umask(0o022)
    for knob, value in KNOBS:
        kernel.write_small(f"/proc/sys/{knob}", value)
    kernel.write_small("/proc/self/oom_score_adj", "-1000")
    with open("/etc/pyti-guest", "w") as file:
        file.write("this is a PyTI guest\n")


def close_devices():
    """Every device node but the harmless ones is root's. Again before a job starts: some nodes appear late."""
    for entry in os.scandir("/dev"):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in ("shm", "pts"):
                os.chmod(entry.path, 0o700)
        elif not entry.is_symlink() and entry.name not in PUBLIC_DEVICES:
            os.chmod(entry.path, 0o600)


def renew(entropy, clock_ms):
    """
    Own randomness and the right time: the guest may have waited for hours or be a clone of another, and two clones would
    draw the same keys (sandbox.md section 7).
    """
    import sys

    RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
    descriptor = os.open("/dev/urandom", os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, RNDADDENTROPY, struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy)
        fcntl.ioctl(descriptor, RNDRESEEDCRNG)
    finally:
        os.close(descriptor)
    set_clock(clock_ms / 1000)
    if "random" in sys.modules:
        sys.modules["random"].seed()


def set_clock(seconds):
    """Seconds since 1970. Raises OSError."""
    import time

    time.clock_settime(time.CLOCK_REALTIME, seconds)


def power_off():
    os.sync()
    ctypes.CDLL(None).reboot(0x4321FEDC)


def _mount(target, kind, flags, options):
    os.makedirs(target, exist_ok=True)
    try:
        kernel.mount(kind, target, kind, flags, options)
    except OSError:
        # Not every kernel has control groups or ptys: tasks fall back and say so. Without /srv there is no job.
        if target == "/srv":
            raise


def _raise_loopback():
    import _socket

    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    handle = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = struct.pack("16sh14x", b"lo", 0)
    flags = struct.unpack("16sh14x", fcntl.ioctl(handle, SIOCGIFFLAGS, request))[1]
    fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    handle.close()
