"""A fork server whose tool does what a test asks for: `fake_tool_server.py KIND [dies]`."""

import _socket
import json
import os
import resource
import signal
import sys
import time

import paths  # noqa: F401

import child
import fork_server


class Tool:
    calls = 0

    @classmethod
    def run(cls, what):
        cls.calls += 1
        if what == "state":
            said = {
                "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
                "limits": [resource.getrlimit(kind) for kind in (resource.RLIMIT_NPROC, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)],
                "session": os.getsid(0) == os.getpid(),
                "environment": dict(os.environ),
                "folder": os.getcwd(),
                "calls": cls.calls,
                "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
                "agent": sorted({"child", "kernel", "sandboxed", "processes"}.intersection(sys.modules)),
                "oom": int(open("/proc/self/oom_score_adj").read()),
            }
            os.write(3, json.dumps(said).encode())
            return 0
        if what == "exit":
            print("out")
            print("err", file=sys.stderr)
            return 7
        if what == "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "raise":
            raise ValueError("no")
        if what == "burn":
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
            return 0
        if what == "kill server":
            os.kill(os.getppid(), signal.SIGKILL)
            return 5
        while True:
            signal.pause()


if __name__ == "__main__":
    os.set_inheritable(10, False)
    if "dies" not in sys.argv:
        fork_server.serve(_socket.socket(fileno=10), sys.argv[1], Tool, child)
