import base64
import configparser
import json
import os
import shutil
import sqlite3
import stat
import struct
import subprocess
import tempfile
import unittest

import paths  # noqa: F401
import baits


class Baits(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)

    def test_one_seed_one_set(self):
        one, files, environment = baits.make(b"job one")
        baits.make.cache_clear()
        self.assertEqual((one, files, environment), baits.make(b"job one"))
        other = baits.make(b"job two")[0]
        self.assertEqual([bait.id for bait in one], [bait.id for bait in other])
        mine = {secret for bait in one for secret in bait.secrets}
        self.assertFalse(mine & {secret for bait in other for secret in bait.secrets})
        self.assertEqual(len(mine), sum(len(bait.secrets) for bait in one))

    def test_every_secret_is_where_its_bait_says_and_nowhere_else(self):
        found, files, environment = baits.make(b"seed")
        held = {"{home}/" + path: content for path, (content, _) in files.items()}
        held.update({"$" + name: value.encode() for name, value in environment.items()})
        for bait in found:
            for secret in bait.secrets:
                if bait.id in ("metadata-credential", "registry-credentials") or len(secret) == 32 and bait.id == "ssh-key":
                    continue
                places = {place for place, content in held.items() if secret in content}
                self.assertTrue(places, bait.id)
                self.assertLessEqual(places, set(bait.places), bait.id)
            for place in bait.places:
                self.assertIn(place, held)

    def test_files_belong_to_the_user_and_are_private(self):
        user = 65534 if os.getuid() == 0 else os.getuid()
        group = 65534 if os.getuid() == 0 else os.getgid()
        found = baits.plant(b"seed", self.home, user, group)
        for path, name in baits.bait_paths(found, self.home).items():
            info = os.stat(path)
            self.assertEqual((info.st_uid, info.st_gid), (user, group))
            self.assertEqual(stat.S_IMODE(info.st_mode), 0o644 if name.startswith("document") else 0o600, path)
        for folder, _, _ in os.walk(self.home):
            if folder != self.home:
                self.assertEqual(os.stat(folder).st_uid, user)

    def test_a_link_in_the_way_is_not_followed(self):
        target = f"{self.home}/target"
        os.symlink(target, f"{self.home}/.netrc")
        with self.assertRaises(OSError):
            baits.plant(b"seed", self.home, os.getuid(), os.getgid())
        self.assertFalse(os.path.exists(target))

    def test_formats_are_what_parsers_expect(self):
        baits.plant(b"seed", self.home, os.getuid(), os.getgid())
        parser = configparser.ConfigParser()
        parser.read(f"{self.home}/.pypirc")
        self.assertTrue(parser["pypi"]["password"].startswith("pypi-"))
        parser.read(f"{self.home}/.aws/credentials")
        self.assertEqual(len(parser["default"]["aws_secret_access_key"]), 40)
        import netrc

        self.assertEqual(netrc.netrc(f"{self.home}/.netrc").authenticators("files.corp.test")[0], "build")
        with open(f"{self.home}/.docker/config.json", encoding="ascii") as file:
            auth = json.load(file)["auths"]["images.corp.test"]["auth"]
        self.assertTrue(base64.b64decode(auth).startswith(b"build:"))
        for path, table in ((f"{baits.CHROME}/Login Data", "logins"), (f"{baits.FIREFOX}/cookies.sqlite", "moz_cookies")):
            connection = sqlite3.connect(f"file:{self.home}/{path}?mode=ro&immutable=1".replace(" ", "%20"), uri=True)
            self.assertEqual(len(connection.execute(f"SELECT * FROM {table}").fetchall()), 1)
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            connection.close()

    def test_the_ssh_key_is_a_real_one(self):
        baits.plant(b"seed", self.home, os.getuid(), os.getgid())
        with open(f"{self.home}/.ssh/id_ed25519.pub", encoding="ascii") as file:
            public = file.read().split()
        blob = base64.b64decode(public[1])
        self.assertEqual(struct.unpack(">I", blob[:4])[0], 11)
        if shutil.which("ssh-keygen") is None:
            self.skipTest("no ssh-keygen here")
        shown = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", f"{self.home}/.ssh/id_ed25519"], capture_output=True, text=True)
        self.assertEqual(shown.stdout.split()[:2], public[:2])

    def test_hosts_are_documentation_names(self):
        text = b"\n".join(content for content, _ in baits.make(b"seed")[1].values()).decode("latin-1")
        import re

        for host in re.findall(r"(?:https?://|@|machine )([a-z0-9-]+(?:\.[a-z0-9-]+)+)", text):
            self.assertTrue(host.endswith(".test") or host.startswith("192.0.2."), host)


if __name__ == "__main__":
    unittest.main()
