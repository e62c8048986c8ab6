"""Watches one run of package code: its trace, its audit hook, and what it leaves running."""

import os
import time

import kernel
import trace_events
import tracer

#: Of the time watched, per process: helpers that wait use next to nothing.
BUSY_SHARE = 0.2
STEP_SECONDS = 0.05
TICK_SECONDS = 1.0


class ObservedRun:
    """`observer` of `sandboxed.run`. `linger`: seconds that what is left running is watched at least."""

    def __init__(self, events, audit, trace, watch, linger=0.0):
        self.pid = None
        self._events, self._audit, self._trace, self._watch = events, audit, trace, watch
        self._linger = linger
        self._looked = 0.0

    def fileno(self):
        return self._audit.fileno() if self._audit is not None else None

    def started(self, pid):
        self.pid = pid

    def look(self, now):
        """Whenever the run says something, and once a second."""
        if self._audit is not None:
            self._audit.feed()
        if self._trace is not None and now - self._looked >= TICK_SECONDS:
            self._looked = now
            self._watch.poll(self._trace)

    def ending(self, group):
        """The run's own process is over, what else it started still lives."""
        if group.path is None:
            return
        used, began = {}, time.monotonic()

        def alive():
            self.look(time.monotonic())
            pids = [pid for pid in tracer.members(group.path) if pid != self.pid]
            for pid in pids:
                used.setdefault(pid, cpu_ticks(pid))
            return pids

        left = tracer.outliving(alive)
        while left and time.monotonic() - began < self._linger:
            time.sleep(STEP_SECONDS)
            left = [pid for pid in alive() if tracer.command_line(pid)]
        ticks = (time.monotonic() - began) * os.sysconf("SC_CLK_TCK")
        for pid in left:
            argv = tracer.command_line(pid)
            if argv:
                busy = cpu_ticks(pid) - used[pid] > BUSY_SHARE * ticks
                self._events.add("left-running", trace_events.command_words(argv) + (" [busy]" if busy else ""))


def cpu_ticks(pid):
    """Processor time a process has used (proc(5), utime and stime)."""
    fields = kernel.read_small(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0
