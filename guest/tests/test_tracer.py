import json
import os
import random
import socket
import sys
import tempfile
import unittest

import paths  # noqa: F401

import events
import trace_events
import trace_lines
import tracer

ROOT, SERVER = 500, 400
BEGIN = f"{ROOT} setresuid(1000, 1000, 1000) = 0\n"
#: A fork server in small, started under strace: forks a root process that becomes the user and runs an argv.
SERVER_CODE = """
import json, os, socket, sys
line = socket.socket(fileno=10)
line.send(b"{}")
while data := line.recv(65536):
    argv = json.loads(data)
    if not argv:
        os.kill(os.getpid(), 0)
        line.send(b"[]")
        continue
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        os.chdir("/")
        os.execve(argv[0], argv, {"PATH": "/usr/bin:/bin"})
    line.send(json.dumps([pid, os.wait4(pid, 0)[1]]).encode())
"""


def rows_of(trace, **options):
    """(kind, what, by) of a trace's events."""
    found = events.Events()
    watch = tracer.Watch(found, agents=(SERVER,), **options)
    watch.take((BEGIN + trace).encode(), ROOT, "pip")
    return [(row["kind"], row["what"], row.get("by")) for row in found.rows()[0]]


class Lines(unittest.TestCase):
    def read(self, trace):
        self.lines = trace_lines.Lines()
        return list(self.lines.read(trace.encode()))

    def test_arguments(self):
        call = trace_lines.parse_call(1, r'xx(3<TCP:[1.2.3.4:5->6.7.8.9:80]>, "a, \")\n\303\274", [{a=1, b="]"}], 0x7f /* 3 vars */) = -1 ENOENT (No such)')
        self.assertEqual(len(call.arguments), 4)
        self.assertEqual((call.result, call.error), (-1, "ENOENT"))
        self.assertEqual(trace_lines.string(call.arguments[1]), 'a, ")\nü')
        self.assertEqual(trace_lines.string(r'"\x41\1012\377"...'), "AA2\udcff…")
        self.assertEqual(trace_lines.strings('["a", "b,]", ...]'), ["a", "b,]", "…"])

    def test_interrupted_lines_come_together(self):
        got = self.read(
            "7 connect(3, {sa_family=AF_UNIX, sun_path=\"/a\"} <unfinished ...>\n8 kill(9, SIGTERM) = 0\n7 <... connect resumed>, 110) = 0\n"
        )
        self.assertEqual([(call.pid, call.name, len(call.arguments)) for call in got], [(8, "kill", 2), (7, "connect", 3)])

    def test_a_call_the_process_ended_in(self):
        got = self.read('7 execve("/x", ["x"], 0x1 <unfinished ...>\n7 +++ killed by SIGKILL +++\n8 memfd_create("a", 0) = ?\n')
        self.assertEqual([getattr(item, "error", None) or item.signal for item in got], ["?", "SIGKILL", "?"])

    def test_what_makes_no_sense_is_counted(self):
        self.assertEqual(self.read("8 +++ exited with 0 +++\nhello\n7 what\n7 <... kill resumed>) = 0\n7 kill(1, \"\n7 +++ x +++\n"), [trace_lines.End(8, None)])
        self.assertEqual(self.lines.bad, 5)
        self.assertEqual(self.read(") = 5\n7 kill(1, 0) = 0\n7 kill(1,")[0].name, "kill")
        self.assertEqual(self.lines.bad, 0)
        self.assertEqual(self.read("7 kill(" + "x" * trace_lines.LINE_BYTES + ") = 0\n"), [])

    def test_no_bytes_break_it(self):
        source = random.Random(6)
        whole = (BEGIN + WHOLE).encode()
        for _ in range(400):
            data = bytearray(whole)
            for _ in range(source.randrange(1, 30)):
                position = source.randrange(len(data))
                choice = source.randrange(3)
                if choice == 0:
                    data[position] = source.randrange(256)
                elif choice == 1:
                    del data[position : position + source.randrange(40)]
                else:
                    data[position:position] = source.choice((b'"', b"\\", b"\n", b"<", b"[", b"(", b")", b"{", b" <unfinished ...>\n", b"999999999999 "))
            found = events.Events()
            tracer.Watch(found).take(bytes(data), ROOT, "pip")
            json.dumps(found.rows()[0], ensure_ascii=False).encode()

    def test_the_order_of_processes_does_not_matter(self):
        """Two children's lines, mixed in any way that keeps each one's own order, say the same."""
        source = random.Random(7)
        fork = [f"{ROOT} vfork( <unfinished ...>", f"{ROOT} <... vfork resumed>) = 501", f"{ROOT} vfork( <unfinished ...>", f"{ROOT} <... vfork resumed>) = 502"]
        one = ['501 execve("/bin/sh", ["sh", "-c", "echo 501"], 0x1) = 0', '501 memfd_create("a", 0) = 3', "501 +++ exited with 0 +++"]
        two = ['502 execve("/no/cat", ["cat"], 0x1) = -1 ENOENT (No)', '502 execve("/bin/cat", ["cat"], 0x1) = 0', "502 kill(501, SIGTERM) = 0", "502 +++ exited with 0 +++"]
        answers = set()
        for _ in range(300):
            left, mixed = [list(fork), list(one), list(two)], []
            while any(left):
                part = source.choice([part for part in left if part])
                # A child that is told of before its parent began to fork does not exist.
                if part is left[0] or (part is left[1] and len(left[0]) < 4) or (part is left[2] and len(left[0]) < 2 and len(left[1]) < 3):
                    mixed.append(part.pop(0))
            answers.add(tuple(rows_of("\n".join(mixed) + "\n")))
        self.assertEqual(answers, {(("exec", "cat", "pip"), ("exec", "sh -c 'echo {pid}'", "pip"), ("memory-file", "a", "sh -c 'echo {pid}'"))})


WHOLE = rf"""{SERVER} clone(child_stack=NULL, flags=SIGCHLD) = {ROOT}
{ROOT} connect(3<TCP:[1]>, {{sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}}, 16) = -1 ECONNREFUSED (x)
{ROOT} connect(3<UDPv6:[1]>, {{sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}}, 28) = 0
{ROOT} connect(3<UNIX-STREAM:[2]>, {{sa_family=AF_UNIX, sun_path="/run/x\"}}"}}, 110) = -1 ENOENT (x)
{ROOT} connect(3<UNIX-STREAM:[2]>, {{sa_family=AF_UNIX, sun_path=@"bus"}}, 110) = 0
{ROOT} connect(3<UNIX-STREAM:[2]>, {{sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}}, 110) = -1 ENOENT (x)
{ROOT} connect(3<UDP:[1]>, {{sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("192.0.2.1")}}, 16) = 0
{ROOT} connect(3<UDP:[1]>, {{sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.2.3")}}, 16) = 0
{ROOT} connect(3<NETLINK:[1]>, {{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}}, 12) = 0
{ROOT} sendto(4<UDP:[1]>, "inet_addr(\"198.51.100.1\")", 1, 0, {{sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.9")}}, 16) = 1
{ROOT} sendto(4<TCP:[1]>, "x", 1, 0, NULL, 0) = 1
{ROOT} sendmsg(4<UDP:[1]>, {{msg_name={{sa_family=AF_INET, sin_port=htons(8), sin_addr=inet_addr("192.0.2.8")}}, msg_iov=[{{iov_base="x", iov_len=1}}]}}, 0) = 1
{ROOT} bind(5<TCP:[1]>, {{sa_family=AF_INET, sin_port=htons(8000), sin_addr=inet_addr("0.0.0.0")}}, 16) = 0
{ROOT} bind(5<TCP:[1]>, {{sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0
{ROOT} connect(5<TCP:[1]>, {{sa_family=AF_INET, sin_port=htons(45678), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0
{ROOT} clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 501
501 memfd_create("payload", MFD_CLOEXEC) = 5
501 ptrace(PTRACE_ATTACH, 1) = -1 EPERM (x)
501 process_vm_readv(400, [], 0, [], 0, 0) = -1 EPERM (x)
501 chmod("/tmp/run.sh", 0755) = 0
501 chmod("/tmp/plain.txt", 0644) = 0
501 chmod("/tmp/missing.sh", 0755) = -1 ENOENT (x)
501 fchmod(5</tmp/a\"b\76>, 0700) = 0
501 fchmodat(AT_FDCWD</work/tests>, "rel.sh", 0777) = 0
501 fchmodat(5</tmp>, "x.sh", 0777, 0) = 0
501 kill(501, SIGTERM) = 0
501 kill(0, SIGTERM) = 0
501 kill(4000, 0) = 0
501 kill(4000, SIGHUP) = -1 EPERM (x)
501 kill(1, SIGKILL) = -1 EPERM (x)
501 kill(-1, SIGKILL) = 0
501 kill({SERVER}, SIGINT) = -1 EPERM (x)
501 pidfd_send_signal(7<pid:4001>, SIGKILL, NULL, 0) = 0
501 tgkill(500, 501, SIGABRT) = 0
501 setuid(0) = -1 EPERM (x)
501 setresuid(1000, -1, 1000) = 0
501 unshare(CLONE_NEWUSER) = -1 EPERM (x)
501 mount("a", "/b", "proc", 0, NULL) = -1 EPERM (x)
501 socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3
501 socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) = -1 EPERM (x)
501 socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 3
501 clone(child_stack=NULL, flags=CLONE_NEWNET|SIGCHLD) = -1 EPERM (x)
{ROOT} execve("/usr/bin/curl", ["curl", "-o", "/tmp/tmpabcd1234", "http://name.test/a b"], 0x1 /* 2 vars */) = 0
{ROOT} execve("/usr/local/bin/wget", ["wget"], 0x1 /* 2 vars */) = -1 ENOENT (x)
{ROOT} execve("/usr/bin/wget", ["wget"], 0x1 /* 2 vars */) = -1 ENOENT (x)
{ROOT} --- SIGSEGV {{si_signo=SIGSEGV}} ---
{ROOT} +++ killed by SIGSEGV (core dumped) +++
"""


class Meaning(unittest.TestCase):
    def test_all_kinds(self):
        rows = rows_of(WHOLE, quiet=("10.0.2.3:53",))
        self.assertEqual(rows, [
            ("connect", "tcp 127.0.0.1:{port}", "pip"), ("connect", "tcp 192.0.2.1:443", "pip"),
            ("connect", "udp 192.0.2.8:8", "pip"), ("connect", "udp 192.0.2.9:9", "pip"),
            ("connect", "udp [2001:db8::1]:53", "pip"), ("connect", 'unix /run/x"}', "pip"), ("connect", "unix @bus", "pip"),
            ("exec", "curl -o {tmp}/{random} 'http://name.test/a b'", "pip"),
            ("exec", "wget [not started]", "curl -o {tmp}/{random}"),
            ("kill", "SIGHUP other", "pip"), ("kill", "SIGINT agent", "pip"), ("kill", "SIGKILL agent", "pip"),
            ("kill", "SIGKILL all", "pip"), ("kill", "SIGKILL other", "pip"),
            ("listen", "tcp 0.0.0.0:8000", "pip"), ("listen", "tcp 127.0.0.1:{port}", "pip"),
            ("make-executable", "/work/tests/rel.sh".replace("/work/tests", "{tests}"), "pip"), ("make-executable", '{tmp}/a"b>', "pip"),
            ("make-executable", "{tmp}/run.sh", "pip"), ("make-executable", "{tmp}/x.sh", "pip"),
            ("memory-file", "payload", "pip"),
            ("privilege", "clone CLONE_NEWNET", "pip"), ("privilege", "mount", "pip"), ("privilege", "setuid 0", "pip"),
            ("privilege", "socket AF_INET SOCK_RAW", "pip"), ("privilege", "socket AF_VSOCK SOCK_STREAM", "pip"), ("privilege", "unshare", "pip"),
            ("process-memory", "process_vm_readv", "pip"), ("process-memory", "ptrace PTRACE_ATTACH", "pip"),
            ("tamper", "kill agent", "pip"), ("tamper", "process_vm_readv agent", "pip"), ("tamper", "ptrace agent", "pip"),
        ])  # fmt: skip

    def test_a_program_run_is_no_event_itself(self):
        watch = tracer.Watch(events.Events())
        watch.take(
            (f'{ROOT} setgroups(0, []) = 0\n{BEGIN}{ROOT} execve("/v/python", ["python", "-m", "pytest"], 0x1) = 0\n'
             f'{ROOT} execve("/bin/x", ["x"], 0x1) = 0\n{ROOT} +++ killed by SIGSEGV +++\n').encode(),
            ROOT, "tests", is_program=True,
        )  # fmt: skip
        rows = watch.events.rows()[0]
        self.assertEqual([(row["what"], row["by"]) for row in rows], [("x", "python -m pytest")])

    def test_nothing_of_the_agent_before_the_identity(self):
        found = events.Events()
        tracer.Watch(found).take(f"{ROOT} setgroups(0, []) = 0\n{ROOT} setresuid(0, 0, 0) = -1 EPERM (x)\n{ROOT} mount(1) = 0\n".encode(), ROOT, "pip")
        self.assertEqual(found.rows(), ([], 0))

    def test_executables_are_no_news_in_a_build(self):
        self.assertEqual(rows_of(f'{ROOT} chmod("/x", 0755) = 0\n', executables=False), [])

    def test_long_commands_are_bounded(self):
        words = trace_events.command_words(["x" * 1000] + ["y"] * 100)
        self.assertLess(len(words), 450)
        self.assertTrue(words.endswith("…"))


class Addresses(unittest.TestCase):
    def test_a_free_port_of_this_machine_is_none_to_compare(self):
        for host, port, words in (
            ("localhost", 40629, "tcp localhost:{port}"),
            ("127.0.0.1", 0, "tcp 127.0.0.1:{port}"),
            ("::1", 50000, "tcp [::1]:{port}"),
            ("127.0.0.1", 80, "tcp 127.0.0.1:80"),
            ("localhost.a.test", 40629, "tcp localhost.a.test:40629"),
            ("192.0.2.1", 40629, "tcp 192.0.2.1:40629"),
        ):
            with self.subTest((host, port)):
                self.assertEqual(trace_events.address_words("tcp", host, port), words)


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-trace-"))
        self.trace = tracer.Trace(f"{self.folder}/t")

    def append(self, data):
        with open(self.trace.path, "ab") as file:
            file.write(data)

    def test_a_flood_keeps_its_start(self):
        watch = tracer.Watch(events.Events())
        watch.begin(self.trace)
        line = f'{ROOT} memfd_create("{{}}", 0) = 3\n'
        self.append((BEGIN + line.format("first")).encode())
        os.truncate(self.trace.path, tracer.TRACE_BYTES + 1)
        watch.poll(self.trace)
        self.assertEqual(self.trace.size(), 0)
        self.append(line.format("later").encode())
        watch.poll(self.trace)
        watch.end(self.trace, ROOT, "pip", False, SERVER)
        self.assertEqual([row["what"] for row in watch.events.rows()[0]], ["first"])
        self.assertTrue(watch.was_cut)

    def test_what_goes_on_is_told(self):
        child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
        try:
            while not tracer.command_line(child):
                pass
            clock = iter(range(100))
            self.assertEqual(tracer.outliving(lambda: [child], clock=lambda: next(clock), sleep=lambda _: None), [child])
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        self.assertEqual(tracer.outliving(lambda: [child], clock=lambda: 0, sleep=lambda _: None), [])

    def test_resolvers(self):
        path = f"{self.folder}/r"
        with open(path, "w", encoding="utf-8") as file:
            file.write("# x\nnameserver 10.0.2.3\nnameserver\n")
        self.assertEqual(tracer.resolvers(path), ["10.0.2.3:53"])


@unittest.skipUnless(tracer.is_available() and os.getuid() == 0, "needs strace and root")
class Real(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-trace-"))
        self.trace = tracer.Trace(f"{self.folder}/t")
        self.line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.line.settimeout(60)
        self.addCleanup(self.line.close)
        argv = tracer.command(["/usr/bin/python3", "-I", "-S", "-c", "import sys; sys.path.append('.');" + SERVER_CODE], self.trace.path)
        self.server = os.posix_spawn(argv[0], argv, {}, file_actions=[(os.POSIX_SPAWN_DUP2, other.fileno(), 10)])
        other.close()
        self.addCleanup(self.stop)
        self.ask()

    def stop(self):
        os.kill(self.server, 9)
        os.waitpid(self.server, 0)

    def ask(self, value=None):
        if value is not None:
            self.line.send(json.dumps(value).encode())
        return json.loads(self.line.recv(4096))

    def rows(self, script):
        watch = tracer.Watch(events.Events(), agents=(os.getpid(),))
        watch.begin(self.trace)
        pid, self.status = self.ask(["/bin/sh", "-c", script])
        watch.end(self.trace, pid, "tests", True, self.server, lambda: self.ask([]))
        return watch.events.rows()[0]

    def test_a_server_stays_itself_and_its_forks_are_seen(self):
        tracing = tracer.tracer_of(self.server)
        self.assertNotIn(tracing, (0, self.server, os.getpid()))
        script = "cd /tmp; echo $$ | cat; mkdir -p pyti.$$; cp /bin/true pyti.$$/t; chmod 755 pyti.$$/t; pyti.$$/t; rm -r pyti.$$; no-such-thing; kill -9 1 || true"
        first = self.rows(script)
        self.assertEqual(self.status, 0)
        # `by`: the shell of the run itself, whose exec is no event.
        told = {(row["kind"], row["what"]) for row in first}
        self.assertIn(("exec", "cat"), told)
        self.assertIn(("exec", "pyti.{pid}/t"), told)
        self.assertIn(("kill", "SIGKILL agent"), told)
        self.assertEqual(self.rows(script), first)
        self.rows("kill -SEGV $$")
        self.assertEqual(os.WTERMSIG(self.status), 11)

    def test_limits_of_the_fork_hold(self):
        self.rows("grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Uid:.1000.1000.1000.1000' /proc/self/status && ! kill -9 $PPID 2>/dev/null")
        self.assertEqual(self.status, 0)


if __name__ == "__main__":
    unittest.main()
