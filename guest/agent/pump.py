"""Reads what a run says until it ends, breaks a limit, or runs out of time."""

import os
import select
import time

CHUNK = 65536
DRAIN_SECONDS = 2.0
RESULT_BYTES = 64 * 1024 * 1024


class Pump:
    """`output`, `result`: reading ends of pipes. `stopped` is the reason's word when the run was cut short."""

    def __init__(self, output, result, pid, limits, log, watch, started, observer=None):
        self.output, self.result = output, result
        self.limits, self.log, self.watch, self.observer = limits, log, watch, observer
        self.deadline = started + limits.seconds
        self.pid_handle = os.pidfd_open(pid)
        self.exited = False
        self.stopped = None
        self.written = 0
        self.received = bytearray()
        self.received_total = 0
        self.poll = select.poll()
        self.open = {output} | ({result} if result is not None else set())
        for descriptor in self.open:
            os.set_blocking(descriptor, False)
            self.poll.register(descriptor, select.POLLIN)
        self.poll.register(self.pid_handle, select.POLLIN)
        self.observed = observer.fileno() if observer is not None else None
        if self.observed is not None:
            self.poll.register(self.observed, select.POLLIN)

    def until_exit(self):
        while self.stopped is None:
            now = time.monotonic()
            if self.watch is not None:
                self.stopped = self.watch.expired(now)
            if now >= self.deadline:
                self.stopped = "timeout"
            if self.stopped:
                return
            wait = self.deadline - now
            ready = self.poll.poll(min(wait, 1.0 if self.watch or self.observer else wait) * 1000 + 1)
            if self.observer is not None:
                self.observer.look(now)
            for descriptor, _ in ready:
                if descriptor not in (self.pid_handle, self.observed):
                    self._read(descriptor)
            # A flood of output must not hide the end of the program, nor may the end hide its last words.
            if any(descriptor == self.pid_handle for descriptor, _ in ready):
                self.exited = True
                return

    def drain(self):
        """After all processes are dead the pipes end; the time limit is for what should not happen."""
        limit = time.monotonic() + DRAIN_SECONDS
        if self.exited or self.stopped:
            try:
                self.poll.unregister(self.pid_handle)
            except KeyError:
                pass
        if self.observed is not None:
            self.poll.unregister(self.observed)
        while self.open and time.monotonic() < limit:
            for descriptor, _ in self.poll.poll(100):
                self._read(descriptor)

    def _read(self, descriptor):
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.open.discard(descriptor)
            self.poll.unregister(descriptor)
        elif descriptor == self.output:
            self.written += len(data)
            self.log.write(data)
            if self.written > self.limits.output_bytes and self.stopped is None:
                self.stopped = "output-limit"
        else:
            self.received_total += len(data)
            if self.received_total > RESULT_BYTES:
                self.stopped = self.stopped or "output-limit"
            elif self.watch is not None:
                self.watch.feed(data)
            else:
                self.received += data

    def close(self):
        os.close(self.pid_handle)
        os.close(self.output)
        if self.result is not None:
            os.close(self.result)
