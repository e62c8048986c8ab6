import random
import shutil
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

import paths  # noqa: F401
import baits
import sinkhole_answers as answers
import sinkhole_certificates
import sinkhole_curves
import sinkhole_flows
import sinkhole_http
import sinkhole_names
import sinkhole_packets as packets
import sinkhole_payloads as payloads
import sinkhole_records as records

BAITS = baits.make(b"parts")[0]
TOKEN = next(bait for bait in BAITS if bait.id == "npm-token").secrets[0]


def query(name, kind=1, number=7):
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b".")) + b"\0"
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + struct.pack(">HH", kind, 1)


class Names(unittest.TestCase):
    def setUp(self):
        self.names = sinkhole_names.Names(True)

    def test_a_name_keeps_its_address_and_is_found_by_it(self):
        replies = [self.names.answer(query(name))[0] for name in (b"one.test", b"two.test", b"ONE.test")]
        self.assertEqual(replies[0][-4:], replies[2][-4:])
        self.assertNotEqual(replies[0][-4:], replies[1][-4:])
        address = ".".join(str(part) for part in replies[0][-4:])
        self.assertIn(replies[0][-4:-2], (b"\xc6\x12", b"\xc6\x13"))
        self.assertEqual(self.names.name(address), "one.test")
        self.assertIsNone(self.names.name("192.0.2.1"))
        six = self.names.answer(query(b"one.test", 28))[0][-16:]
        self.assertEqual(self.names.name("2001:2::%x:%x" % struct.unpack(">HH", six[-4:])), "one.test")

    def test_types(self):
        for kind, word in ((1, "A"), (28, "AAAA"), (16, "TXT"), (15, "MX"), (2, "NS"), (12, "PTR"), (255, "ANY")):
            reply, asked = self.names.answer(query(b"x.test", kind))
            self.assertEqual((reply[3] & 15, reply[7], asked), (0, 1, [(b"x.test", word)]))
        for kind in (5, 6, 33, 65, 999):
            self.assertEqual(self.names.answer(query(b"x.test", kind))[0][7], 0)
        self.assertEqual(self.names.answer(query(b"x.invalid"))[0][3] & 15, 3)
        self.assertEqual(sinkhole_names.Names(False).answer(query(b"x.test", 28))[0][7], 0)

    def test_garbage(self):
        chance = random.Random(1)
        for size in list(range(40)) * 20 + [512, 9000]:
            self.names.answer(chance.randbytes(size))
        for bad in (b"", bytes(12), query(b"x.test")[:-3], query(b"x")[:12] + b"\xc0\x0c\0\1\0\1", query(b"x")[:12] + b"\x3f" * 400):
            reply, asked = self.names.answer(bad)
            self.assertEqual(asked, [])
        reply, asked = self.names.answer(query(b"\x00\xff\n.test"))
        self.assertEqual(sinkhole_names.readable(asked[0][0]), "\\000\\255\\010.test")

    def test_names_are_limited(self):
        for index in range(sinkhole_names.NAMES + 500):
            self.names.answer(query(b"n%d.test" % index))
        self.assertGreaterEqual(self.names.omitted, 500)


class Packets(unittest.TestCase):
    def test_round_trips(self):
        for one, two in ((bytes([10, 0, 2, 15]), bytes([192, 0, 2, 1])), (bytes(15) + b"\1", bytes(15) + b"\2")):
            packet = packets.parse(packets.datagram(one, 5, two, 53, b"odd"))
            self.assertEqual((packet.source, packet.target, packet.segment[8:]), (one, two, b"odd"))
            self.assertEqual(packets.checksum(packets._pseudo(17, one, two, 11) + packet.segment), b"\0\0")
            syn = struct.pack(">HHIIBBHHH", 1, 2, 0, 0, 0x50, 2, 100, 0xBEEF, 0)
            moved = packets.parse(packets.readdress(packets.Packet(6, one, two, syn), two, 9, one, 10))
            self.assertEqual(packets.ports(moved.segment), (9, 10))
            self.assertEqual(packets.checksum(packets._pseudo(6, two, one, 20) + moved.segment), b"\0\0")

    def test_garbage(self):
        chance = random.Random(2)
        for size in list(range(80)) * 30:
            data = bytearray(chance.randbytes(size))
            if data:
                data[0] = chance.choice((0x45, 0x4F, 0x60, 0x00))
            packet = packets.parse(bytes(data))
            if packet is not None:
                packets.echo_reply(packet)


class Templates(unittest.TestCase):
    def test_what_people_write_stays(self):
        for text in ("/api/v1/users?id=12", "/simple/requests-toolbelt/", "/models/bert-base-uncased/resolve/main/pytorch_model.bin",
                     "/a?host=workstation&user=user", "/latest/meta-data/iam/security-credentials/", "/index_of_things.html"):  # fmt: skip
            self.assertEqual(records.template(text), text)
        for name in ("files.corp.test", "my-long-application-name.evil.test", "198.51.100.7"):
            self.assertEqual(records.template_name(name), name)

    def test_what_lots_draw_goes(self):
        import base64
        import uuid

        chance = random.Random(3)
        for _ in range(500):
            data = chance.randbytes(24)
            for word in (data.hex(), base64.b32encode(data).decode().lower().rstrip("="), base64.urlsafe_b64encode(data).decode()):
                self.assertEqual(records.template(f"/x?d={word}"), "/x?d={...}")
            self.assertEqual(records.template(f"/{uuid.UUID(bytes=data[:16], version=4)}/a"), "/{...}/a")
        self.assertEqual(records.template("/t?at=1700000000123"), "/t?at={...}")
        self.assertEqual(records.template_name("4a4b3c2d1e0f9a8b7c.00ff11ee22dd33cc44bb.evil.test"), "{...}.evil.test")
        self.assertEqual(records.template("/\u20ac\n\0" + "x" * 9000), "/???" + "x" * 196)


class Counting(unittest.TestCase):
    def test_classes_and_limits(self):
        book = records.Records(BAITS)
        for number, name in ((1, "a"), (2, "b"), (9, "c"), (10, "d")):
            for _ in range(number):
                book.count({"kind": "dns", "to": name}, "A")
                book.count({"kind": "dns", "to": name}, "AAAA")
        counts = {event["to"]: event["count"] for event in book.drain()["events"]}
        self.assertEqual(counts, {"a": "once", "b": "few", "c": "few", "d": "many"})
        for index in range(records.EVENTS + 10):
            book.count({"kind": "dns", "to": str(index)})
        book.count({"kind": "tcp", "to": "late", "baits": "x:plain"})
        result = book.drain()
        self.assertEqual((len(result["events"]), result["omitted"]), (records.EVENTS + 1, 10))
        self.assertEqual(book.drain(), {"events": [], "evidence": [], "omitted": 0})

    def test_a_bait_behind_much_noise(self):
        for place in (0, 65530, 200_000, 3_000_000):
            book = records.Records(BAITS)
            capture = records.Capture(book)
            data = bytes(place) + TOKEN + bytes(70_000)
            for start in range(0, len(data), 60_000):
                capture.feed(data[start : start + 60_000])
            self.assertEqual(capture.search(), {"npm-token": "plain"})

    def test_evidence_of_a_leak_goes_first(self):
        book = records.Records(BAITS)
        for index in range(100):
            capture = records.Capture(book)
            capture.feed(b"%d" % index + (TOKEN if index == 99 else b""))
            book.exchange({"kind": "tcp", "to": str(index)}, capture)
        evidence = book.drain()["evidence"]
        self.assertEqual(len(evidence), records.EVIDENCE)
        self.assertEqual(evidence[-1]["baits"], "npm-token:plain")


class Answers(unittest.TestCase):
    def kind(self, path, host="x.test", method="GET", **headers):
        return answers.choose(method, host, path, headers, baits.metadata_role(BAITS)).kind

    def test_choices(self):
        for path, kind in (("/a.sh", "script"), ("/", "script"), ("/run.py", "script"), ("/x.exe", "program"), ("/xmrig-linux", "program"),
                           ("/a.json", "json"), ("/simple/", "index"), ("/simple/x/", "index"), ("/x-1.whl", "missing"), ("/a.zip", "archive"),
                           ("/pypi/x/json", "missing"), ("/generate_204", "probe"), ("/ip", "address"), ("/logo.png", "image"), ("/a.html", "page")):  # fmt: skip
            self.assertEqual(self.kind(path), kind, path)
        self.assertEqual(self.kind("/a", method="POST"), "json")
        self.assertEqual(self.kind("/", accept="text/html,*/*"), "page")
        self.assertEqual(self.kind("/", host="api.ipify.test"), "address")
        self.assertEqual(self.kind("/v1", accept="application/json"), "json")
        self.assertEqual(self.kind("/latest/meta-data/iam/security-credentials/application-role", "169.254.169.254"), "metadata-credential")
        self.assertEqual(self.kind("/latest/meta-data/iam/security-credentials/", "169.254.169.254"), "metadata")

    def test_the_script_is_shell_and_python(self):
        for interpreter in ("sh", sys.executable):
            with tempfile.TemporaryDirectory() as folder:
                script = payloads.SCRIPT.replace(payloads.MARK_FILE.encode(), f"{folder}/mark".encode())
                ran = subprocess.run([interpreter, "-c", script.decode()], capture_output=True, text=True)
                self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "pyti-marker\n", ""))
                with open(f"{folder}/mark", encoding="ascii") as file:
                    self.assertEqual(file.read(), "pyti-marker\n")

    def test_classes_of_bytes(self):
        for data, word in ((b"", "none"), (b"\x1f\x8b\x08", "compressed"), (b'{"a":1}', "json"), (b"a=1&b=2", "form"), (b"hello there", "text"),
                           (b'{"id":1,"method":"mining.subscribe"}', "stratum"), (bytes(range(128, 192)), "opaque"), (b"A" * 60, "encoded"),
                           (b"NICK bot\r\n", "irc"), ("Gr\u00fc\u00dfe".encode(), "text")):  # fmt: skip
            self.assertEqual(sinkhole_http.classify(data), word)


class Certificates(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def authority(self, name="ca.pem"):
        authority = sinkhole_certificates.Authority(b"seed", self.folder, f"{self.folder}/{name}")
        authority.publish()
        return authority

    def shake_hands(self, server, client, name):
        pipes = [ssl.MemoryBIO() for _ in range(4)]
        ends = [client.wrap_bio(pipes[0], pipes[1], server_hostname=name), server.wrap_bio(pipes[2], pipes[3], server_side=True)]
        for _ in range(6):
            for end in ends:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                pipes[2].write(pipes[1].read())
                pipes[0].write(pipes[3].read())
        return ends[0].version()

    def test_clients_trust_names_and_addresses(self):
        authority = self.authority()
        client = ssl.create_default_context(cafile=authority.ca_file)
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        for name in ("x.test", "192.0.2.4", "a" * 63 + ".very-long-name-for-a-common-name.test"):
            self.assertEqual(self.shake_hands(authority.context(name), client, name), "TLSv1.3")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.shake_hands(authority.context("x.test"), client, "y.test")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.shake_hands(authority.context("x.test"), ssl.create_default_context(), "x.test")

    def test_one_seed_one_authority(self):
        self.authority("one.pem")
        self.authority("two.pem")
        with open(f"{self.folder}/one.pem", "rb") as one, open(f"{self.folder}/two.pem", "rb") as two:
            self.assertEqual(one.read(), two.read())

    def test_openssl_agrees(self):
        if shutil.which("openssl") is None:
            self.skipTest("no openssl here")
        self.authority().context("x.test")
        for moment in ("631152001", "1700000000", "4000000000"):
            arguments = ["openssl", "verify", "-x509_strict", "-attime", moment, "-CAfile", f"{self.folder}/ca.pem", f"{self.folder}/leaf.pem"]
            shown = subprocess.run(arguments, capture_output=True, text=True)
            self.assertEqual(shown.returncode, 0, shown.stderr)

    def test_ed25519_vector(self):
        """RFC 8032, 7.1, test 1."""
        seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        self.assertEqual(sinkhole_curves.ed25519_public(seed).hex(), public)

    def test_server_name_of_garbage(self):
        chance = random.Random(6)
        for size in list(range(120)) * 10:
            sinkhole_flows.server_name(chance.randbytes(size))


if __name__ == "__main__":
    unittest.main()
