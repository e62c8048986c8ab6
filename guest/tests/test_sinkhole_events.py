import unittest

import paths  # noqa: F401
import sinkhole_events
from events import Events


def told(*rows):
    events = Events()
    alive = sinkhole_events.add_to(events, {"events": [{"count": "once", **row} for row in rows], "evidence": [], "omitted": 0})
    return alive, [(row["kind"], row["what"]) for row in events.rows()[0]]


class Words(unittest.TestCase):
    CASES = (
        ({"kind": "dns", "to": "a.test", "type": "address"}, ("name", "A a.test")),
        ({"kind": "dns", "to": "a.test", "type": "TXT", "resolver": "192.0.2.8"}, ("name", "TXT a.test at 192.0.2.8")),
        ({"kind": "tcp", "to": "a.test", "port": "80", "protocol": "http", "method": "GET", "path": "/x"}, ("request", "GET http://a.test/x")),
        ({"kind": "tcp", "to": "a.test", "port": "8443", "protocol": "https", "method": "POST", "path": "/"}, ("request", "POST https://a.test:8443/")),
        ({"kind": "tcp", "to": "a.test", "port": "443", "protocol": "tls", "state": "refused"}, ("request", "tls a.test:443")),
        ({"kind": "tcp", "to": "192.0.2.1", "port": "4444", "protocol": "none"}, ("connect", "tcp 192.0.2.1:4444")),
        ({"kind": "tcp", "to": "192.0.2.1", "port": "4444", "protocol": "tcp", "first": "none"}, ("connect", "tcp 192.0.2.1:4444")),
        ({"kind": "tcp", "to": "192.0.2.1", "port": "4444", "protocol": "tcp", "first": "text"}, ("request", "tcp 192.0.2.1:4444")),
        ({"kind": "tcp", "to": "pool.test", "port": "3333", "protocol": "stratum", "first": "stratum"}, ("request", "stratum pool.test:3333")),
        ({"kind": "udp", "to": "192.0.2.1", "port": "123", "first": "binary"}, ("request", "udp 192.0.2.1:123")),
        ({"kind": "icmp", "to": "192.0.2.1"}, ("connect", "icmp 192.0.2.1")),
    )  # fmt: skip

    def test_every_kind(self):
        for row, expected in self.CASES:
            with self.subTest(row):
                self.assertEqual(told(row), (True, [expected]))

    def test_a_bait_that_left_is_told_beside_the_request(self):
        row = {"kind": "tcp", "to": "a.test", "port": "80", "protocol": "http", "method": "POST", "path": "/", "baits": "netrc:plain ssh-key:base64+gzip"}
        found = told(row)[1]
        self.assertEqual(found, [
            ("bait-left", "netrc plain in POST http://a.test/"),
            ("bait-left", "ssh-key base64+gzip in POST http://a.test/"),
            ("request", "POST http://a.test/"),
        ])  # fmt: skip

    def test_a_bait_in_names_or_in_pieces(self):
        self.assertIn(("bait-left", "ssh-key hex in names below a.test"), told({"kind": "dns-leak", "to": "a.test", "baits": "ssh-key:hex"})[1])
        self.assertIn(("bait-left", "ssh-key hex in several to a.test"), told({"kind": "joined-leak", "to": "a.test", "baits": "ssh-key:hex"})[1])

    def test_a_sinkhole_that_is_gone(self):
        self.assertEqual(told({"kind": "sinkhole-lost", "to": ""}), (False, []))

    def test_evidence_is_sorted(self):
        report = {"events": [], "evidence": [{"to": "b", "first": "\n"}, {"to": "a", "first": "x"}], "omitted": 0}
        self.assertEqual(sinkhole_events.evidence_text(report), b'{"first": "\\n", "to": "b"}\n{"first": "x", "to": "a"}\n')


if __name__ == "__main__":
    unittest.main()
