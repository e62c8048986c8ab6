"""One control group (cgroup v2) per task: ceilings that hold for all its processes, and one switch that ends them."""

import os
import time

import kernel

MOUNT = "/sys/fs/cgroup"
PIDS_MARGIN = 64


def controllers():
    """Mounts cgroup v2 when it is absent, hands its controllers down; the set that child groups really have."""
    if not os.path.exists(f"{MOUNT}/cgroup.controllers"):
        try:
            kernel.mount("none", MOUNT, "cgroup2")
        except OSError:
            return None
    for name in ("memory", "pids", "cpu"):
        kernel.write_small(f"{MOUNT}/cgroup.subtree_control", f"+{name}")
    return set(kernel.read_small(f"{MOUNT}/cgroup.subtree_control").split())


def create(name, memory_bytes, processes):
    """A fresh group, or an `Absent` one where the kernel has no cgroup v2."""
    available = controllers()
    if available is None:
        return Absent()
    path = f"{MOUNT}/{name}"
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    except OSError:
        return Absent()
    group = Group(path, available)
    group.limit(memory_bytes, processes)
    return group


class Absent:
    """Stands in where there are no control groups: resource limits and kill-by-uid do the work."""

    path = None
    memory = pids = False

    def enter(self):
        return False

    def kill(self):
        return False

    def alive(self):
        return None

    def events(self):
        return 0, 0

    def cpu_milliseconds(self):
        return None

    def peak_bytes(self):
        return None

    def is_full_of_files(self):
        return False

    def remove(self):
        return None


class Group:
    def __init__(self, path, available):
        self.path = path
        self.memory = "memory" in available
        self.pids = "pids" in available
        self.memory_bytes = self.processes = 0

    def limit(self, memory_bytes, processes):
        if self.memory:
            self.memory = kernel.write_small(f"{self.path}/memory.max", str(memory_bytes))
            kernel.write_small(f"{self.path}/memory.swap.max", "0")
            kernel.write_small(f"{self.path}/memory.oom.group", "1")
        if self.pids:
            # RLIMIT_NPROC is to be met first: it refuses a fork before memory is copied, pids.max after. Fork bombs against
            # pids.max alone ended in a panic of User-mode Linux 6.12 ("Kernel mode fault" below clone).
            self.pids = kernel.write_small(f"{self.path}/pids.max", str(processes + PIDS_MARGIN))
        self.memory_bytes, self.processes = memory_bytes, processes

    def enter(self):
        """Moves the calling process into the group."""
        return kernel.write_small(f"{self.path}/cgroup.procs", "0")

    def kill(self):
        """Kills all members at once and waits until the group is empty; True when it is."""
        if self._says("populated 0"):
            return True
        self._freeze()
        for _ in range(500):
            if not kernel.write_small(f"{self.path}/cgroup.kill", "1"):
                break
            time.sleep(0.002)
            if self._says("populated 0"):
                break
        kernel.write_small(f"{self.path}/cgroup.freeze", "0")
        return self._says("populated 0")

    def _freeze(self):
        """Lets every member come to rest first: a fork that a kill cuts short is undone as late as one that pids.max refuses."""
        if kernel.write_small(f"{self.path}/cgroup.freeze", "1"):
            for _ in range(100):
                if self._says("frozen 1"):
                    return
                time.sleep(0.001)

    def _says(self, words):
        return words in kernel.read_small(f"{self.path}/cgroup.events")

    def alive(self):
        """How many processes are members; zombies are none."""
        return len(kernel.read_small(f"{self.path}/cgroup.procs", 65536).split())

    def events(self):
        """(times the out-of-memory killer struck, signs that a fork met the ceiling) so far."""
        forks = 0
        if self.pids:
            peak = kernel.read_small(f"{self.path}/pids.peak").strip()
            forks = _counter(f"{self.path}/pids.events", "max") + (peak.isdigit() and int(peak) >= self.processes)
        return _counter(f"{self.path}/memory.events", "oom_kill") if self.memory else 0, int(forks)

    def is_full_of_files(self):
        """Whether files in memory (the private layer is one) take most of the group's memory."""
        return self.memory and _counter(f"{self.path}/memory.stat", "shmem") > self.memory_bytes // 2

    def cpu_milliseconds(self):
        text = kernel.read_small(f"{self.path}/cpu.stat")
        return _field(text, "usage_usec") // 1000 if "usage_usec" in text else None

    def peak_bytes(self):
        text = kernel.read_small(f"{self.path}/memory.peak").strip() if self.memory else ""
        return int(text) if text.isdigit() else None

    def remove(self):
        try:
            os.rmdir(self.path)
        except OSError:
            pass


def _counter(path, name):
    return _field(kernel.read_small(path), name)


def _field(text, name):
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0
