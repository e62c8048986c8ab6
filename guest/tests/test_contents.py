import hashlib
import hmac
import os
import tempfile
import unittest

import paths  # noqa: F401
from contents import Contents

KEY = bytes(range(16))


class Keyed(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(self.enterContext(tempfile.TemporaryDirectory()))

    def keyed(self, files, key=KEY, **options):
        contents, digests = Contents(key, **options), []
        for name, data in files:
            with open(f"{self.folder}/file", "wb") as file:
                file.write(data)
            digests.append(contents.read(name, f"{self.folder}/file"))
        self.assertEqual(digests, [hashlib.sha256(data).hexdigest() for _, data in files])
        return contents.keyed()

    def test_a_known_answer(self):
        rows = [("{site}/a", b"one"), ("{site}/b", b"x" * 3_000_000)]
        message = b"".join(len(name).to_bytes(4, "big") + name.encode() + len(data).to_bytes(8, "big") + data for name, data in rows)
        self.assertEqual(self.keyed(rows), hmac.new(KEY, message, hashlib.sha256).hexdigest())

    def test_all_of_it_counts(self):
        rows = [("a", b"one"), ("b", b"two")]
        others = ([("a", b"one")], [("a", b"onet"), ("b", b"wo")], [("b", b"one"), ("a", b"two")], [("a", b"one"), ("b", b"twp")], [])
        self.assertEqual(len({self.keyed(each) for each in (rows, *others)}), 1 + len(others))
        self.assertEqual(self.keyed(rows), self.keyed(rows))
        self.assertNotEqual(self.keyed(rows), self.keyed(rows, key=bytes(16)))

    def test_beyond_the_room_a_digest_stands_for_the_content(self):
        rows = [("a", b"x" * 10), ("b", b"y" * 11), ("c", b"z" * 2)]
        self.assertEqual(len({self.keyed(rows, room=room) for room in (0, 10, 12, 21, 23)}), 5)
        self.assertNotEqual(self.keyed(rows, room=12), self.keyed([rows[0], ("b", b"Y" * 11), rows[2]], room=12))

    def test_a_link_is_not_followed(self):
        os.symlink("/etc/passwd", f"{self.folder}/link")
        with self.assertRaises(OSError):
            Contents(KEY).read("a", f"{self.folder}/link")


if __name__ == "__main__":
    unittest.main()
