import json
import os
import socket
import unittest
from unittest import mock

import paths  # noqa: F401

import channel
import main

GO = {"job": {"bytes": 10, "sha256": "0" * 64}, "entropy": "11" * 32, "clockMs": 1_700_000_000_000}


def frame(kind, payload):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return (1 + len(data)).to_bytes(4, "big") + bytes([kind]) + data


def frames(data):
    found = []
    while data:
        length = int.from_bytes(data[:4], "big")
        found.append((data[4], data[5 : 4 + length]))
        data = data[4 + length :]
    return found


class Line(unittest.TestCase):
    def setUp(self):
        host, guest = socket.socketpair()
        self.host = self.enterContext(host)
        self.enterContext(guest)
        self.channel = channel.Channel(guest.fileno())

    def said(self):
        self.host.setblocking(False)
        try:
            return frames(self.host.recv(1 << 20))
        except BlockingIOError:
            return []


class Frames(Line):
    def test_hello_is_json(self):
        self.channel.hello("6.12.1", "3.13.5")
        ((kind, payload),) = self.said()
        self.assertEqual((kind, json.loads(payload)), (channel.HELLO, {"version": 1, "kernel": "6.12.1", "python": "3.13.5"}))

    def test_host_frames(self):
        for kind, value in ((channel.PING, {}), (channel.WARM, {}), (channel.GO, GO)):
            self.host.sendall(frame(kind, value))
            self.assertEqual(self.channel.receive(), (kind, value))
        self.assertEqual(self.said(), [])

    def test_a_message_is_cut_as_the_host_counts(self):
        self.channel.event("setup", "progress", "\U0001f600" * 480 + "\ud800")
        ((_, payload),) = self.said()
        self.assertEqual(json.loads(payload)["message"], "\U0001f600" * 250)

    def test_frames_arrive_byte_by_byte(self):
        data = frame(channel.PING, {})
        with mock.patch("os.read", side_effect=[data[index : index + 1] for index in range(len(data))]):
            self.assertEqual(self.channel.receive(), (channel.PING, {}))

    def test_largest_frame(self):
        value = {"x": "y" * (channel.MAX_HOST_FRAME - 5 - len('{"x": ""}'))}
        data = frame(channel.GO, value)
        self.assertEqual(len(data), channel.MAX_HOST_FRAME)
        self.host.sendall(data)
        self.assertEqual(self.channel.receive(), (channel.GO, value))

    def test_garbage(self):
        cases = (
            bytes(4), b"\xff" * 5, (channel.MAX_HOST_FRAME - 3).to_bytes(4, "big") + b"\x10", frame(channel.PING, b"{"),
            frame(channel.PING, b""), frame(channel.PING, [1]), frame(channel.PING, {"a": 1}), frame(channel.WARM, {"a": 1}),
            frame(channel.HELLO, {}), frame(19, {}), frame(0, {}), frame(channel.GO, b"\xff\xfe"),
        )  # fmt: skip
        for data in cases:
            with self.subTest(data[:12]):
                host, guest = socket.socketpair()
                with host, guest:
                    host.sendall(data)
                    with self.assertRaises(ValueError):
                        channel.Channel(guest.fileno()).receive()

    def test_host_leaves_within_a_frame(self):
        self.host.sendall(frame(channel.PING, {})[:-1])
        self.host.shutdown(socket.SHUT_WR)
        with self.assertRaises(EOFError):
            self.channel.receive()

    def test_items(self):
        self.channel.item("guest.json", b"x" * (channel.DATA_BYTES + 1))
        self.channel.item("logs/a.txt", b"abc", at=7)
        self.channel.finish()
        said = self.said()
        self.assertEqual([kind for kind, _ in said], [channel.ITEM, channel.DATA, channel.DATA, channel.ITEM, channel.DONE, channel.BYE])
        self.assertNotIn("at", json.loads(said[0][1]))
        self.assertEqual(json.loads(said[3][1])["at"], 7)
        self.assertEqual(json.loads(said[4][1])["items"], 2)


class Go(unittest.TestCase):
    def test_fields(self):
        self.assertEqual(main.check(GO)["entropy"], b"\x11" * 32)

    def test_bad_fields(self):
        bad = (
            {**GO, "more": 1}, {key: value for key, value in GO.items() if key != "entropy"}, {**GO, "entropy": "11" * 31},
            {**GO, "entropy": "zz" * 32}, {**GO, "clockMs": "1"}, {**GO, "clockMs": True}, {**GO, "job": []},
            {**GO, "entropy": None}, {**GO, "job": {"bytes": 1.5, "sha256": ""}}, {**GO, "job": {"bytes": -1, "sha256": ""}}, {},
        )  # fmt: skip
        for go in bad:
            with self.subTest(go), self.assertRaises(ValueError):
                main.check(go)


class Serve(Line):
    def serve(self, *sent):
        """Feeds the frames to the agent with everything but the conversation replaced; what happened, in order."""
        happened = []
        machine = mock.Mock()
        machine.renew = lambda *_: happened.append("renew")
        disks = mock.Mock()
        disks.read_job = lambda *_: happened.append("read") or ({}, {})
        tasks = mock.Mock()
        tasks.run = lambda *_, **options: happened.append("run") or ({}, {})
        for data in sent:
            self.host.sendall(data)
        self.host.shutdown(socket.SHUT_WR)
        with (
            mock.patch.dict("sys.modules", machine=machine, disks=disks, tasks=tasks),
            mock.patch.object(main, "load", lambda: happened.append("load")),
        ):
            main.serve(self.channel)
        return happened

    def test_any_number_of_pings_and_warms(self):
        ping, warm = frame(channel.PING, {}), frame(channel.WARM, {})
        happened = self.serve(ping, warm, ping, warm, ping, frame(channel.GO, GO))
        # Own randomness and time come before anything of the job is looked at.
        self.assertEqual(happened, ["load", "renew", "read", "run"])
        kinds = [kind for kind, _ in self.said()]
        self.assertEqual(kinds[:6], [channel.ACK] * 6)
        self.assertEqual(kinds.count(channel.ACK), 6)
        self.assertEqual(kinds[-2:], [channel.DONE, channel.BYE])

    def test_cold_start(self):
        self.assertEqual(self.serve(frame(channel.GO, GO)), ["renew", "read", "run"])

    def test_a_bad_go_is_not_acknowledged(self):
        with self.assertRaises(ValueError):
            self.serve(frame(channel.GO, {}))
        self.assertEqual(self.said(), [])

    def test_the_host_leaves(self):
        with self.assertRaises(EOFError):
            self.serve(frame(channel.PING, {}))


class HandOut(Line):
    def hand_out(self, logs, serial_bytes):
        written = mock.Mock()
        written.write_output = lambda items: [(name, data, at) for at, (name, data) in enumerate(items)]
        with mock.patch.dict("sys.modules", disks=written):
            main.hand_out(self.channel, {}, logs, serial_bytes)
        return [json.loads(payload).get("at") for kind, payload in self.said() if kind == channel.ITEM]

    def test_small_results_go_over_the_line(self):
        self.assertEqual(self.hand_out({"logs/a.txt": b"12345678"}, 10), [None, None])

    def test_large_results_go_on_the_disk(self):
        self.assertEqual(self.hand_out({"logs/a.txt": b"123456789"}, 10), [0, 1])


if __name__ == "__main__":
    unittest.main()
