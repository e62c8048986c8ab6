"""
The internet of a guest that has none: every name and every address answers, and what was said is told by phase.
Starts before package code, as a process of its own that the package's user can neither signal nor trace.
"""

import gc
import hashlib
import json
import os
import signal
import socket
import struct

import kernel

CA_FILE = "/etc/ssl/certs/local-root-authority.pem"
CA_VARIABLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO",
)  # fmt: skip
START_SECONDS, COLLECT_SECONDS = 10.0, 30.0
REPORT_BYTES = 8 * 1024 * 1024
PR_SET_PDEATHSIG = 1


class Sinkhole:
    """`env` and `resolv_conf` are for package code; `ca_file` is what `env` names. `ipv6`: whether that version answers, too."""

    def __init__(self, pid, control, ca_file):
        self.pid, self._control = pid, control
        self.ca_file, self.ipv6 = ca_file, False
        self.env = dict.fromkeys(CA_VARIABLES, ca_file)
        self.resolv_conf = "nameserver 10.0.2.3\noptions timeout:3 attempts:2\n"

    @classmethod
    def start(cls, baits, private_dir, ca_file=CA_FILE):
        """Sets up this network namespace's network and answers on it from now on. Raises RuntimeError."""
        import sinkhole_server  # noqa: F401  (before the fork: the child shares it)

        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                _live(theirs, baits, private_dir, ca_file)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        sinkhole = cls(pid, ours, ca_file)
        ours.settimeout(START_SECONDS)
        try:
            said = sinkhole._receive()
        except (OSError, ValueError) as error:
            said = {"problem": str(error)}
        if "problem" in said:
            sinkhole.stop()
            raise RuntimeError(f"the sinkhole did not start: {said['problem']}")
        sinkhole.ipv6 = said["ipv6"]
        return sinkhole

    def collect(self):
        """
        {"events", "evidence", "omitted"} of everything since the last call. What was sent before the call is in it. A sinkhole
        that is gone says so with one event of kind `sinkhole-lost`.
        """
        self._control.settimeout(COLLECT_SECONDS)
        try:
            self._control.sendall(b"c")
            return self._receive()
        except (OSError, ValueError):
            return {"events": [{"kind": "sinkhole-lost", "to": "", "count": "once"}], "evidence": [], "omitted": 0}

    def stop(self):
        """Ends the process; what was not collected is gone."""
        self._control.close()
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def _receive(self):
        length = struct.unpack(">I", self._exactly(4))[0]
        if length > REPORT_BYTES:
            raise ValueError("the sinkhole's report is too long")
        return json.loads(self._exactly(length))

    def _exactly(self, size):
        parts = []
        while size:
            part = self._control.recv(min(size, 65536))
            if not part:
                raise OSError("it ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _live(control, baits, private_dir, ca_file):
    """The child: keeps nothing of the agent but this socket."""
    import sinkhole_server

    # Without this the end of a job would leave a process that holds the network.
    kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    kept = control.fileno()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)
    gc.collect()
    gc.freeze()
    try:
        os.makedirs(private_dir, mode=0o700, exist_ok=True)
        seed = hashlib.sha256(b"".join(secret for bait in baits for secret in bait.secrets)).digest()
        world = sinkhole_server.World(baits, seed, private_dir, ca_file)
        world.authority.publish()
        server = sinkhole_server.Server(world, control)
    except Exception as error:
        _tell(control, {"problem": f"{type(error).__name__}: {error}"})
        raise
    _tell(control, {"ipv6": server.has_6})
    server.serve()


def _tell(control, value):
    text = json.dumps(value).encode()
    control.sendall(struct.pack(">I", len(text)) + text)
