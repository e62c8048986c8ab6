"""
Everything package code must not be able to do, tried one by one. Each try is one line of output, `TRY {"name": result}`;
the suite expects the name of an error in all of them. The last line says that the program came to its end.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import stat
import struct

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this program runs only in a PyTI guest")

libc = ctypes.CDLL(None, use_errno=True)
PUBLIC = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
SIGNALS = (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL)


def attempt(name, function, *arguments):
    try:
        result = f"done {function(*arguments)!r}"[:80]
    except OSError as error:
        result = errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        result = type(error).__name__
    os.write(1, f"\nTRY {json.dumps({name: result})}\n".encode())


def system_call(number, *arguments):
    answer = libc.syscall(*(ctypes.c_long(value) if isinstance(value, int) else value for value in (number, *arguments)))
    if answer < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return answer


def opened(path, flags):
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    os.close(descriptor)
    return path


def mounted(source, kind, flags=0, options=b""):
    target = "/tmp/mount-here"
    os.makedirs(target, exist_ok=True)
    return system_call(165, source, target.encode(), kind, flags, options)


def machine():
    for command in (0x01234567, 0x4321FEDC, 0xCDEF0123, 0xA1B2C3D4, 0xD000FCE2, 0x45584543, 0x89ABCDEF):
        attempt(f"reboot {command:x}", system_call, 169, 0xFEE1DEAD, 672274793, command, 0)
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/sysrq", "/proc/sys/kernel/modules_disabled", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic", "/proc/sys/vm/drop_caches"):
        attempt(f"write {path}", opened, path, os.O_WRONLY)
    attempt("live longer than others", spare_me)
    for name in ("hostname", "domainname"):
        attempt(f"set {name}", system_call, 170 if name == "hostname" else 171, b"mine", 4)
    attempt("set the clock", libc_time)
    attempt("stime by adjtimex", system_call, 159, struct.pack("I12x", 0x8000).ljust(208, b"\0"))
    attempt("swapon", system_call, 167, b"/tmp", 0)
    attempt("acct", system_call, 163, b"/tmp/acct")
    attempt("iopl", system_call, 172, 3)
    attempt("ioperm", system_call, 173, 0x80, 1, 1)
    attempt("kexec_load", system_call, 246, 0, 0, 0, 0)
    attempt("quotactl", system_call, 179, 0x80000700, b"/dev/ubda", 0, 0)


def spare_me():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("-1000")


def libc_time():
    import time

    time.clock_settime(time.CLOCK_REALTIME, 1)


def kernel():
    for name, number, arguments in (
        ("init_module", 175, (b"\x7fELF" + bytes(60), 64, b"")),
        ("finit_module", 313, (0, b"", 0)),
        ("delete_module", 176, (b"overlay", 0)),
        ("bpf", 321, (5, bytes(120), 120)),
        ("perf_event_open", 298, (struct.pack("II", 1, 112).ljust(112, b"\0"), 0, -1, -1, 0)),
        ("io_uring_setup", 425, (8, bytes(120))),
        ("userfaultfd", 323, (0,)),
        ("syslog", 103, (3, ctypes.create_string_buffer(64), 64)),
        ("unshare user", 272, (0x10000000,)),
        ("unshare mounts", 272, (0x00020000,)),
        ("unshare network", 272, (0x40000000,)),
        ("clone a user namespace", 56, (0x10000000 | 17, 0, 0, 0, 0)),
        ("setns", 308, (0, 0x40000000)),
        ("chroot", 161, (b"/tmp",)),
        ("pivot_root", 155, (b"/tmp", b"/tmp")),
        ("setuid", 105, (0,)),
        ("setgid", 106, (0,)),
        ("setresuid", 117, (0, 0, 0)),
        ("setgroups", 116, (1, struct.pack("I", 0))),
        ("capset", 126, (struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0xFFFFFFFF] * 6))),
        ("fanotify_init", 300, (0, 0)),
        ("open_by_handle_at", 304, (-100, struct.pack("Ii8s", 8, 1, b"x" * 8), 0)),
        ("setpriority", 141, (0, 0, -20)),
        ("sched_setscheduler", 144, (0, 1, struct.pack("i", 50))),
        ("mlockall", 151, (3,)),
    ):
        attempt(name, system_call, number, *arguments)
    attempt("more processes", resource.setrlimit, resource.RLIMIT_NPROC, (10**6, 10**6))
    attempt("packet socket", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 3)
    attempt("raw socket", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
    attempt("low port", lambda: socket.socket().bind(("127.0.0.1", 80)) if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) > 80 else 1 / 0)


def mounts():
    for source, kind, flags, options in (
        (b"none", b"hostfs", 0, b"/"),
        (b"none", b"hostfs", 0, b"../../.."),
        (b"proc", b"proc", 0, b""),
        (b"tmpfs", b"tmpfs", 0, b""),
        (b"dev", b"devtmpfs", 0, b""),
        (b"sysfs", b"sysfs", 0, b""),
        (b"cgroup2", b"cgroup2", 0, b""),
        (b"overlay", b"overlay", 0, b"lowerdir=/,upperdir=/tmp,workdir=/tmp"),
        (b"/", b"", 4096, b""),
        (b"none", b"", 32, b""),
        (b"/dev/ubda", b"squashfs", 0, b""),
        (b"/dev/vda", b"squashfs", 0, b""),
        (b"host", b"9p", 0, b"trans=virtio"),
    ):
        attempt(f"mount {kind.decode()} {source.decode()} {flags} {options.decode()}", mounted, source, kind, flags, options)
    attempt("remount /", system_call, 165, b"none", b"/", b"", 32, b"")
    for target in ("/proc", "/run/pyti", "/dev/shm", "/"):
        attempt(f"unmount {target}", system_call, 166, target.encode(), 2)
    attempt("open_tree", system_call, 428, -100, b"/", 1)
    attempt("fsopen", system_call, 430, b"tmpfs", 0)


def devices():
    for folder, folders, names in os.walk("/dev", onerror=lambda error: attempt(f"list {error.filename}", raise_, error)):
        for name in names:
            path = os.path.join(folder, name)
            if folder == "/dev" and (name in PUBLIC or name.startswith("ttyS") and len(name) > 5):
                continue
            mode = os.lstat(path).st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                if path != "/dev/pts/ptmx":
                    for label, flags in (("read", os.O_RDONLY), ("write", os.O_WRONLY), ("both", os.O_RDWR)):
                        attempt(f"{label} {path}", opened, path, flags)
                attempt(f"chmod {path}", os.chmod, path, 0o666)
                attempt(f"unlink {path}", os.unlink, path)
    for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/ttyS0", "/dev/console", "/dev/tty0", "/dev/ubda", "/dev/ubdb", "/dev/ubdc", "/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/hvc0", "/dev/vport1p1", "/proc/kcore", "/proc/kmsg", "/proc/kpageflags", "/sys/kernel/debug/x", "/sys/firmware/x"):
        attempt(f"read {path}", opened, path, os.O_RDONLY)
        attempt(f"write {path}", opened, path, os.O_RDWR)
    for kind, major, minor in ((stat.S_IFBLK, 98, 0), (stat.S_IFBLK, 98, 16), (stat.S_IFBLK, 254, 0), (stat.S_IFBLK, 253, 0), (stat.S_IFCHR, 1, 1), (stat.S_IFCHR, 4, 64), (stat.S_IFCHR, 5, 1), (stat.S_IFCHR, 229, 0)):
        attempt(f"mknod {kind:o} {major}:{minor}", os.mknod, "/tmp/node", kind | 0o666, os.makedev(major, minor))


def raise_(error):
    raise error


def processes():
    kernel_threads = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with open(f"/proc/{name}/status") as file:
            uid = next(line.split()[1] for line in file if line.startswith("Uid:"))
        pid = int(name)
        if uid != "0":
            continue
        label = "PID 1" if pid == 1 else "agent" if os.path.exists(f"/proc/{name}/cmdline") and open(f"/proc/{name}/cmdline").read() else "kernel thread"
        # They are all alike, and many.
        kernel_threads += label == "kernel thread"
        if label == "kernel thread" and kernel_threads > 3:
            continue
        label = f"{label} {name}"
        for number in SIGNALS:
            attempt(f"{label} {number!s}", os.kill, pid, number)
        attempt(f"{label} ptrace attach", ptrace, 16, pid)
        attempt(f"{label} ptrace seize", ptrace, 0x4206, pid)
        attempt(f"{label} set its limits", resource.prlimit, pid, resource.RLIMIT_CPU, (1, 1))
        attempt(f"{label} read memory", copied, pid)
        attempt(f"{label} pidfd getfd", taken, pid)
        if not label.startswith("kernel"):
            for entry in ("mem", "environ", "maps", "auxv", "syscall", "stack", "pagemap"):
                attempt(f"{label} {entry}", lambda: open(f"/proc/{name}/{entry}", "rb").read(1))
            for entry in ("fd", "map_files", "fdinfo"):
                attempt(f"{label} {entry}", os.listdir, f"/proc/{name}/{entry}")
            for entry in ("root", "cwd", "exe", "fd/0", "fd/3"):
                attempt(f"{label} {entry}", os.readlink, f"/proc/{name}/{entry}")
                attempt(f"{label} open {entry}", opened, f"/proc/{name}/{entry}", os.O_RDONLY)


def copied(pid):
    here = ctypes.create_string_buffer(8)
    local, remote = struct.pack("QQ", ctypes.addressof(here), 8), struct.pack("QQ", 0x400000, 8)
    return system_call(310, pid, local, 1, remote, 1, 0)


def ptrace(request, pid):
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def taken(pid):
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return "signalled"
    except PermissionError:
        return system_call(438, handle, 3, 0)
    finally:
        os.close(handle)


def files():
    for path in ("/run/pyti", "/run/pyti/agent", "/run/pyti/upper", "/run/pyti/modules", "/work/agent", "/root"):
        attempt(f"list {path}", os.listdir, path)
    for path in ("/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/pyti-guest", "/etc/ld.so.preload", "/usr/bin/python3", "/usr/lib/python3/dist-packages/pip/__init__.py", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/cgroup.kill", "/sys/fs/cgroup/cgroup.subtree_control", "/usr/lib/python3/dist-packages/sitecustomize.py"):
        attempt(f"write {path}", opened, path, os.O_WRONLY | os.O_CREAT)
    for root, _, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in ("cgroup.procs", "cgroup.kill", "cgroup.freeze", "memory.max", "pids.max", "cgroup.threads"):
                attempt(f"write {root}/{name}", opened, f"{root}/{name}", os.O_WRONLY)
    for root, _, names in os.walk("/srv"):
        attempt(f"new file in {root}", opened, f"{root}/mine", os.O_WRONLY | os.O_CREAT)
        for name in names:
            attempt(f"write {root}/{name}", opened, f"{root}/{name}", os.O_WRONLY)
            attempt(f"remove {root}/{name}", os.unlink, f"{root}/{name}")
    for folder in ("/", "/etc", "/usr", "/work", "/srv", "/run", "/sys/fs/cgroup", "/dev", "/opt", "/boot"):
        attempt(f"new folder in {folder}", os.mkdir, f"{folder}/mine")


def facts():
    """What is here from others: a VM is used once, so nothing."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    seen = {name: status.get(name, "").strip() for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs", "Groups", "Uid", "Gid")}
    seen["interfaces"] = sorted(name for _, name in socket.if_nameindex())
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        seen[folder] = sorted(os.listdir(folder))
    # The first free number is the listing's own.
    seen["descriptors"] = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}"))
    seen["/srv"] = sorted(name for _, _, names in os.walk("/srv") for name in names)
    os.write(1, f"\nFACTS {json.dumps(seen)}\n".encode())


facts()
for group in (machine, kernel, mounts, devices, processes, files):
    group()
os.write(1, b"\nTRIED ALL\n")
