import os
import re
import tempfile
import unittest

import paths  # noqa: F401

import static_rules

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "rules")
RULES = os.path.join(os.path.dirname(HERE), "rules")
ABSENT = "python3-yara is not installed"
#: Rules about a file's place see their examples there.
PLACES = {"detached-process": "pkg/__init__.py"}


def declared():
    """{id: source name} of every public rule."""
    found = {}
    for name in sorted(os.listdir(RULES)):
        if name.endswith(".yar"):
            with open(os.path.join(RULES, name), encoding="utf-8") as file:
                for private, rule, body in re.findall(r"^(private )?rule (\w+)\n\{(.*?)^\}", file.read(), re.S | re.M):
                    if not private:
                        found[rule] = body
    return found


def example(rule_id, kind):
    """(name in the archive, bytes) of a rule's example or counter-example."""
    names = [name for name in os.listdir(FOLDER) if name.startswith(f"{rule_id}.{kind}.")]
    if len(names) != 1:
        raise AssertionError(f"{rule_id} has {len(names)} files {kind}")
    with open(os.path.join(FOLDER, names[0]), "rb") as file:
        data = file.read()
    return ("setup.py" if rule_id.startswith("setup-") else PLACES.get(rule_id, f"pkg/{names[0]}")), data


class Declarations(unittest.TestCase):
    def test_every_rule_says_what_it_is(self):
        ids = []
        for rule, body in declared().items():
            meta = dict(re.findall(r'^    (id|version|reason) = "?(.*?)"?$', body, re.M))
            self.assertEqual(set(meta), {"id", "version", "reason"}, rule)
            self.assertEqual(meta["id"], rule.replace("_", "-"))
            self.assertRegex(meta["version"], r"^[1-9][0-9]*$")
            ids.append(meta["id"])
        self.assertEqual(len(ids), len(set(ids)))

    def test_every_rule_has_both_examples_and_no_example_lacks_a_rule(self):
        ids = {rule.replace("_", "-") for rule in declared()}
        for rule_id in sorted(ids):
            example(rule_id, "example")
            example(rule_id, "counter")
        self.assertEqual({name.split(".")[0] for name in os.listdir(FOLDER)}, ids)

    def test_hosts_are_rows_of_three(self):
        with open(os.path.join(RULES, "hosts.txt"), encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
        self.assertTrue(rows and all(len(row) == 3 and row[2] for row in rows))


@unittest.skipUnless(static_rules.engine(), ABSENT)
class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rules = static_rules.Rules(RULES)

    def scan(self, name, data):
        found = {}
        self.rules.scan(name, data, found.__setitem__)
        return found

    def test_each_rule_matches_its_example_and_not_its_counter_example(self):
        for rule in declared():
            rule_id = rule.replace("_", "-")
            with self.subTest(rule_id):
                self.assertIn(rule_id, self.scan(*example(rule_id, "example")))
                self.assertNotIn(rule_id, self.scan(*example(rule_id, "counter")))

    def test_no_rule_matches_a_counter_example_of_another(self):
        for rule in declared():
            rule_id = rule.replace("_", "-")
            with self.subTest(rule_id):
                self.assertEqual(self.scan(*example(rule_id, "counter")), {})

    def test_each_row_of_hosts_matches_something_it_describes(self):
        addresses = (
            "https://discord.com/api/webhooks/000000000000000000/" + "a" * 40, "https://hooks.slack.com/services/T00000000/B00000000/" + "a" * 24,
            "https://api.telegram.org/bot000000000:" + "a" * 35, "https://webhook.site/00000000-0000-0000", "https://aaaaaaaaaaaa.m.pipedream.net",
            "https://aaaaaaaaaaaa.oast.fun", "https://pastebin.com/raw/aaaaaaaa", "https://aaaa-bbbb.ngrok.io", "https://transfer.sh/a", "http://" + "a" * 56 + ".onion",
        )  # fmt: skip
        for address in addresses:
            with self.subTest(address):
                self.assertEqual(self.scan("pkg/a.py", f'\nURL = "{address}"\n'.encode()), {"drop-host": 2})

    def test_the_line_is_where_it_happens(self):
        self.assertEqual(self.scan("a.py", b"import os\n\n\nos.remove(__file__)\n")["deletes-itself"], 4)
        self.assertEqual(self.scan("a.py", b"import base64\r\nexec(base64.b64decode('YQ=='))\r\n")["decoded-exec"], 2)

    def test_comments_and_docstrings_do_nothing(self):
        body = b'exec(base64.b64decode("YQ=="))'
        self.assertEqual(self.scan("a.py", b'def f():\n    """\n    ' + body + b'\n    """\n# ' + body), {})
        self.assertIn("decoded-exec", self.scan("a.py", b'"""' + body + b'"""\nprint(__doc__)'))
        # What is no Python is looked at as it is: a broken file is no hiding place.
        self.assertIn("decoded-exec", self.scan("a.py", b'"""\n' + body + b"\n"))

    def test_kinds(self):
        setup = b"from urllib.request import urlopen\nurlopen('https://a.test')"
        self.assertIn("setup-network", self.scan("setup.py", setup))
        self.assertNotIn("setup-network", self.scan("pkg/setup.py", setup))
        self.assertIn("shell-download", self.scan("run", b"#!/bin/sh\nbase64 -d x | sh\n"))
        self.assertEqual(self.scan("notes.md", b"exec(base64.b64decode('YQ=='))"), {})

    def test_garbage_is_no_error(self):
        for data in (b"", b"\0" * 5000, b"\xff\xfe" * 5000, b"(" * 20_000, b"exec(" * 20_000, b"'" * 9999 + b"\\"):
            self.scan("a.py", data)

    def test_only_a_files_first_part_is_scanned(self):
        late = b"#" * static_rules.SCAN_BYTES + b"\nexec(base64.b64decode('YQ=='))\n"
        self.assertEqual(self.scan("a.py", late), {})


class Parts(unittest.TestCase):
    def test_blanked_source_keeps_its_lines(self):
        source = 'a = 1  # one\ndef f():\n    """two\n    three"""\n    return "four"  # five\n'
        blank = static_rules.without_comments(source.encode()).decode()
        self.assertEqual([line.rstrip() for line in blank.split("\n")], ["a = 1", "def f():", "", "", '    return "four"', ""])

    def test_the_digest_follows_the_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in (("VERSION", "7\n"), ("hosts.txt", "a\tb\tc\n"), ("x.yar", "rule a { meta: id = \"a\" condition: false }")):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(data)
            one = static_rules.Rules(folder)
            with open(os.path.join(folder, "x.yar"), "a", encoding="utf-8") as file:
                file.write("\n")
            two = static_rules.Rules(folder)
        self.assertEqual((one.version, two.version), ("7", "7"))
        self.assertNotEqual(one.digest, two.digest)


if __name__ == "__main__":
    unittest.main()
