import os
import shutil
import subprocess
import tempfile
import unittest

import paths  # noqa: F401
from bait_watch import BaitWatch


class Opened(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        for name in ("key", "token"):
            with open(f"{self.folder}/{name}", "w") as file:
                file.write(name)
        self.watch = BaitWatch({f"{self.folder}/key": "ssh-key", f"{self.folder}/token": "index-token"})
        self.addCleanup(self.watch.close)

    def test_looking_is_not_opening(self):
        os.stat(f"{self.folder}/key")
        os.listdir(self.folder)
        os.chmod(f"{self.folder}/key", 0o600)
        self.assertEqual(self.watch.take(), [])

    def test_each_once_and_only_since_the_last_call(self):
        for _ in range(3):
            with open(f"{self.folder}/token") as file:
                file.read()
        shutil.copytree(self.folder, f"{self.folder}/copy")
        self.assertEqual(self.watch.take(), ["index-token", "ssh-key"])
        self.assertEqual(self.watch.take(), [])

    def test_other_programs_and_moved_files(self):
        os.rename(f"{self.folder}/key", f"{self.folder}/moved")
        subprocess.run(["cat", f"{self.folder}/moved"], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.watch.take(), ["ssh-key"])

    def test_a_flood_leaves_what_came_first(self):
        with open(f"{self.folder}/key"):
            pass
        for _ in range(20_000):
            os.close(os.open(f"{self.folder}/token", os.O_RDONLY))
        self.assertEqual(self.watch.take(), ["index-token", "ssh-key"])

    def test_a_file_that_is_not_there(self):
        with self.assertRaises(FileNotFoundError):
            BaitWatch({f"{self.folder}/none": "none"})


if __name__ == "__main__":
    unittest.main()
