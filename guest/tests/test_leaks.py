import base64
import bz2
import gzip
import io
import json
import random
import time
import unittest
import urllib.parse
import zipfile
import zlib

import paths  # noqa: F401
import baits
import leaks

BAITS, FILES, _ = baits.make(b"leak tests")
NEEDLES = leaks.Needles(BAITS)
SECRETS = {bait.id: bait.secrets for bait in BAITS}
TOKEN = SECRETS["npm-token"][0]
KEY = FILES[".ssh/id_ed25519"][0]


def deflate(data):
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("loot/id_ed25519", data)
    return file.getvalue()


def base32(data):
    return base64.b32encode(data).rstrip(b"=")


WRAPS = {
    "plain": lambda data: data,
    "reversed": lambda data: data[::-1],
    "base64": base64.b64encode,
    "base64 urlsafe": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "base64 in lines": base64.encodebytes,
    "hex": lambda data: data.hex().encode(),
    "hex upper": lambda data: data.hex().upper().encode(),
    "hex colons": lambda data: data.hex(":").encode(),
    "url": lambda data: "".join(f"%{byte:02X}" for byte in data).encode(),
    "url quote": lambda data: urllib.parse.quote_from_bytes(data, safe="").encode(),
    "xor": lambda data: bytes(byte ^ 0x5A for byte in data),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "deflate": deflate,
    "zip": zipped,
    "base32": base32,
    "base32 lower": lambda data: base32(data).lower(),
    "json": lambda data: json.dumps({"k": data.decode("latin-1")}).encode(),
    "json unicode": lambda data: "".join(f"\\u00{byte:02x}" for byte in data).encode(),
    "repr": lambda data: "".join(f"\\x{byte:02x}" for byte in data).encode(),
    "utf-16": lambda data: data.decode("latin-1").encode("utf-16-le"),
    "utf-16 big": lambda data: data.decode("latin-1").encode("utf-16-be"),
    "base64 of gzip": lambda data: base64.b64encode(gzip.compress(data)),
    "gzip of base64": lambda data: gzip.compress(base64.b64encode(data)),
    "base64 of zlib": lambda data: base64.urlsafe_b64encode(zlib.compress(data)),
    "base64 of xor": lambda data: base64.b64encode(bytes(byte ^ 7 for byte in data)),
    "hex of xor": lambda data: bytes(byte ^ 200 for byte in data).hex().encode(),
    "base64 of reversed": lambda data: base64.b64encode(data[::-1]),
    "url of base64": lambda data: urllib.parse.quote_from_bytes(base64.b64encode(data), safe="").encode(),
    "base64 twice": lambda data: base64.b64encode(base64.b64encode(data)),
    "zlib of hex": lambda data: zlib.compress(data.hex().encode()),
    "hex of gzip": lambda data: gzip.compress(data).hex().encode(),
}


class Leaks(unittest.TestCase):
    def find(self, data):
        return {name for name, _ in leaks.find_leaks(data, NEEDLES)}

    def test_every_bait_in_every_wrap_at_every_offset(self):
        for wrap, function in WRAPS.items():
            for bait in BAITS:
                for secret in bait.secrets:
                    for before in (b"", b"x", b"xy", b"xyz=", b'{"v": "'):
                        packed = function(before + secret + b"&end")
                        self.assertIn(bait.id, self.find(b"POST /a HTTP/1.1\r\n\r\n" + packed), f"{wrap} {bait.id} {before}")

    def test_benign_twins(self):
        other, files, _ = baits.make.__wrapped__(b"somebody else's job")
        for wrap, function in WRAPS.items():
            for bait in other:
                for secret in bait.secrets:
                    self.assertEqual(self.find(b"GET /" + function(b"xyz" + secret + b"&end")), set(), f"{wrap} {bait.id}")
        for path, (content, _) in files.items():
            self.assertEqual(self.find(content), set(), path)

    def test_what_is_public_is_no_leak(self):
        for path in (".ssh/id_ed25519.pub", ".ssh/known_hosts", ".bash_history", ".gitconfig", ".aws/config"):
            self.assertEqual(self.find(FILES[path][0]), set(), path)
        # The part of the key file before its secret, and the public half.
        text = KEY.replace(b"\n", b"")
        self.assertEqual(self.find(KEY[: KEY.index(SECRETS["ssh-key"][0][:16])]), set())
        self.assertEqual(self.find(base64.b64encode(text[:150])), set())

    def test_names_of_simple_encodings(self):
        for wrap in ("plain", "reversed", "base64", "hex", "url", "xor", "gzip", "zlib", "deflate", "zip", "base32", "utf-16"):
            found = dict(leaks.find_leaks(WRAPS[wrap](b"ab" + TOKEN), NEEDLES))
            self.assertEqual(found.get("npm-token"), wrap)
        self.assertEqual(leaks.find_leaks(WRAPS["base64 of gzip"](TOKEN), NEEDLES), {("npm-token", "base64+gzip")})
        self.assertEqual(leaks.find_leaks(TOKEN, BAITS), {("npm-token", "plain")})

    def test_all_files_in_one_archive(self):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, (content, _) in FILES.items():
                archive.writestr(path, content)
        wanted = {bait.id for bait in BAITS if any(place.startswith("{home}") for place in bait.places)}
        self.assertEqual(self.find(file.getvalue()) ^ wanted, set())

    def test_runs_of_long_secrets(self):
        secret = SECRETS["ssh-key"][0]
        for start in range(0, len(secret) - 24):
            self.assertEqual(self.find(b"<" + secret[start : start + 24] + b">"), {"ssh-key"})
            self.assertEqual(self.find(b"<" + secret[start : start + 23] + b">"), set())
        self.assertEqual(self.find(TOKEN[:20]), set())

    def test_labels_with_counters(self):
        for encode in (lambda data: data.hex(), lambda data: base32(data).decode().lower(), lambda data: base64.urlsafe_b64encode(data).decode()):
            text = encode(b"key=" + SECRETS["cloud-credentials"][1] + b"=end").rstrip("=")
            for size in (8, 20, 48):
                pieces = [text[start : start + size] for start in range(0, len(text), size)]
                plain = [piece.encode() for piece in pieces]
                numbered = [f"{index}.{piece}.s".encode() for index, piece in enumerate(pieces)]
                self.assertIn("cloud-credentials", self.find(leaks.label_views(plain)))
                self.assertIn("cloud-credentials", self.find(leaks.label_views([name for name in numbered for _ in range(2)])))

    def test_random_data_is_no_leak(self):
        chance = random.Random(4)
        for size in (0, 1, 7, 8, 9, 100, 5000, 70000):
            data = chance.randbytes(size)
            for wrapped in (data, base64.b64encode(data), data.hex().encode(), gzip.compress(data), base32(data), bytes(size)):
                self.assertEqual(leaks.find_leaks(wrapped, NEEDLES), set())

    def test_damaged_and_hostile_streams(self):
        packed = gzip.compress(b"x" * 100 + TOKEN + b"y" * 100)
        self.assertEqual(self.find(packed[:-6]), {"npm-token"})
        bomb = zlib.compress(bytes(64 * 1024 * 1024))
        nested = gzip.compress(bomb * 4)
        for data in (bomb, nested, b"\x1f\x8b\x08" * 5000, b"PK\x03\x04" * 5000, b"%" * 5000, b"\\" * 5001, b"\\u00" * 900, bz2.compress(b"x")):
            self.assertEqual(self.find(data), set())

    def test_a_mebibyte_ends(self):
        chance = random.Random(5)
        noise = chance.randbytes(1 << 20)
        cases = [noise, base64.b64encode(noise)[: 1 << 20], noise.hex().encode()[: 1 << 20], base64.encodebytes(noise)[: 1 << 20], b"%41" * 349525]
        for data in cases:
            begun = time.process_time()
            self.assertEqual(self.find(data[:-40] + TOKEN), {"npm-token"})
            # Guards against a hang only; about 0.8 s where this was written.
            self.assertLess(time.process_time() - begun, 20)

    def test_short_secrets_are_refused(self):
        with self.assertRaises(ValueError):
            leaks.Needles([baits.Bait("short", (), (b"0123456789",))])


if __name__ == "__main__":
    unittest.main()
