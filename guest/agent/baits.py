"""
Useless secrets in the places where thieves look: fresh per job, all from one seed, so every volunteer plants the same.
No bait names a real host, and no token has a real service's check digits; formats are valid where a parser would look.
"""

import base64
import functools
import hashlib
import json
import os
import struct
from typing import NamedTuple

import sinkhole_curves

HOST = "workstation"
UPPER, LOWER, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
LETTERS = UPPER + LOWER + DIGITS
BASE58 = "".join(letter for letter in DIGITS + UPPER + LOWER if letter not in "0OIl")
FIREFOX = ".mozilla/firefox/k3v8qz1x.default-release"
CHROME = ".config/google-chrome/Default"


class Bait(NamedTuple):
    """`places`: templated paths and/or environment names (`$NAME`). `secrets`: the bytes that must never leave."""

    id: str
    places: tuple
    secrets: tuple


class Source:
    """Named, independent random strings from the job's seed."""

    def __init__(self, seed):
        self._key = hashlib.sha256(b"pyti baits 1" + seed).digest()

    def raw(self, label, size):
        return hashlib.shake_256(self._key + label.encode()).digest(size)

    def text(self, label, size, alphabet=LETTERS):
        number = int.from_bytes(self.raw(label, size + 16), "big")
        letters = []
        for _ in range(size):
            number, index = divmod(number, len(alphabet))
            letters.append(alphabet[index])
        return "".join(letters)


@functools.lru_cache(1)
def make(seed):
    """(baits, {path below home: (content, mode)}, environment additions); touches nothing."""
    source = Source(seed)
    files, environment, baits = {}, {}, []

    def add(name, secrets, environ=None, **contents):
        places = []
        for path, content in contents.get("at", {}).items():
            private = not path.startswith("Documents/")
            files[path] = (content if isinstance(content, bytes) else content.encode(), 0o600 if private else 0o644)
            places.append("{home}/" + path)
        environment.update(environ or {})
        places += ["$" + key for key in environ or {}]
        baits.append(Bait(name, tuple(places), tuple(part if isinstance(part, bytes) else part.encode() for part in secrets)))

    private, public, secrets = _ssh_key(source)
    add("ssh-key", secrets, at={".ssh/id_ed25519": private})
    files[".ssh/id_ed25519.pub"] = (public, 0o644)
    files[".ssh/known_hosts"] = (_known_hosts(source), 0o644)
    key, secret = _cloud_pair(source, "file")
    add("cloud-credentials", (key[4:], secret), at={".aws/credentials": _cloud_file(key, secret)})
    files[".aws/config"] = (b"[default]\nregion = eu-central-1\noutput = json\n", 0o600)
    key, secret = _cloud_pair(source, "environment")
    add("cloud-env", (key[4:], secret), {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret})
    token = _index_token(source, "file")
    add("index-token", (token[-64:],), at={".pypirc": f"[pypi]\nusername = __token__\npassword = {token}\n"})
    token = _index_token(source, "environment")
    add("index-token-env", (token[-64:],), {"PYPI_TOKEN": token, "TWINE_PASSWORD": token})
    environment["TWINE_USERNAME"] = "__token__"
    word = source.text("netrc", 24)
    add("netrc", (word,), at={".netrc": f"machine files.corp.test\n  login build\n  password {word}\n"})
    word = source.text("npm", 36)
    add("npm-token", (word,), at={".npmrc": f"//npm.corp.test/:_authToken=npm_{word}\nalways-auth=true\n"})
    word = source.text("git", 36)
    add("git-credentials", (word,), at={".git-credentials": f"https://build:ghp_{word}@git.corp.test\n"})
    files[".gitconfig"] = (b"[user]\n\tname = Sam Keller\n\temail = sam@corp.test\n[credential]\n\thelper = store\n", 0o644)
    word = source.text("gh", 36)
    add("forge-token", (word,), at={".config/gh/hosts.yml": _forge_file(word)})
    word = source.text("git-environment", 36)
    add("forge-token-env", (word,), {"GITHUB_TOKEN": f"ghp_{word}", "GH_TOKEN": f"ghp_{word}"})
    word = source.text("npm-environment", 36)
    add("npm-token-env", (word,), {"NPM_TOKEN": f"npm_{word}"})
    word = source.text("model-environment", 48)
    add("api-key-env", (word,), {"OPENAI_API_KEY": f"sk-{word}"})
    word = source.text("kube", 43)
    add("cluster-token", (word,), at={".kube/config": _cluster_file(source, word)})
    word = source.text("docker", 32)
    auth = base64.b64encode(f"build:{word}".encode()).decode()
    docker = json.dumps({"auths": {"images.corp.test": {"auth": auth}}}, indent=2) + "\n"
    add("registry-credentials", (word,), at={".docker/config.json": docker})
    word, other = source.text("database", 28), source.text("session", 50)
    add("dotenv", (word, other), at={".env": _dotenv(word, other)})
    login, cookie = source.text("login", 44), source.text("cookie", 40)
    add("browser", (login, cookie), at=_browser(source, login, cookie))
    wallet = "xprv9s21ZrQH143K" + source.text("wallet", 95, BASE58)
    wallet_file = json.dumps({"keystore": {"type": "bip32", "xprv": wallet, "xpub": None}, "seed_version": 17, "use_encryption": False})
    add("wallet", (wallet[16:],), at={".electrum/wallets/default_wallet": wallet_file + "\n"})
    files[".bash_history"] = (_history(), 0o600)
    for name, (path, content, secret) in _documents(source).items():
        add(name, (secret,), at={path: content})
    role = _role(source)
    add("metadata-credential", (role["AccessKeyId"][4:], role["SecretAccessKey"], role["Token"]))
    return baits, files, environment


def plant(seed, home, uid, gid):
    """Writes the files below `home` as the package's user owns them; the baits. Raises OSError."""
    baits, files, _ = make(seed)
    for path, (content, mode) in files.items():
        folder = home
        for part in path.split("/")[:-1]:
            folder = f"{folder}/{part}"
            if not os.path.isdir(folder):
                os.mkdir(folder, 0o755 if part in ("Documents", ".config") else 0o700)
                os.chown(folder, uid, gid)
        descriptor = os.open(f"{home}/{path}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
            os.fchown(descriptor, uid, gid)
    return baits


def environment(seed):
    """The environment variables that are baits: {name: value}."""
    return make(seed)[2]


def bait_paths(baits, home):
    """{absolute path: bait id} of all files that only a thief or a tool of that name reads."""
    return {place.replace("{home}", home): bait.id for bait in baits for place in bait.places if place.startswith("{home}")}


def metadata_role(baits):
    """What the machine's metadata address answers for its role."""
    key, secret, token = next(bait.secrets for bait in baits if bait.id == "metadata-credential")
    return {
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2025-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z",
        "AccessKeyId": "ASIA" + key.decode(), "SecretAccessKey": secret.decode(), "Token": token.decode(),
    }  # fmt: skip


def _role(source):
    return {
        "AccessKeyId": "ASIA" + source.text("role-key", 16, UPPER + "234567"),
        "SecretAccessKey": source.text("role-secret", 40),
        "Token": source.text("role-token", 300),
    }


def _string(data):
    return struct.pack(">I", len(data)) + data


def _ssh_key(source):
    """An unencrypted key file (PROTOCOL.key of OpenSSH), the public line, and what is secret in the file."""
    seed, check = source.raw("ssh", 32), source.raw("ssh-check", 4)
    public = sinkhole_curves.ed25519_public(seed)
    blob = _string(b"ssh-ed25519") + _string(public)
    comment = f"sam@{HOST}".encode()
    inner = check + check + blob + _string(seed + public) + _string(comment)
    inner += bytes(range(1, 1 + -len(inner) % 8))
    data = b"openssh-key-v1\0" + _string(b"none") * 2 + _string(b"") + struct.pack(">I", 1) + _string(blob) + _string(inner)
    text = base64.b64encode(data).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    body = "\n".join(lines) + "\n"
    # All else in the file is public or equal in every key of this kind, which a package's own test key may be.
    start = data.index(seed)
    secret_text = text[(start * 4 + 2) // 3 : (start + 32) * 4 // 3]
    private = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"
    line = f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment.decode()}\n"
    return private.encode(), line.encode(), (secret_text, seed)


def _known_hosts(source):
    lines = []
    for host in ("git.corp.test", "build.corp.test,192.0.2.17", "db.corp.test"):
        blob = _string(b"ssh-ed25519") + _string(source.raw(host, 32))
        lines.append(f"{host} ssh-ed25519 {base64.b64encode(blob).decode()}\n")
    return "".join(lines).encode()


def _cloud_pair(source, label):
    return "AKIA" + source.text(f"cloud-key {label}", 16, UPPER + "234567"), source.text(f"cloud-secret {label}", 40, LETTERS + "/+")


def _cloud_file(key, secret):
    return f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"


def _index_token(source, label):
    """Shaped like an index's upload token, for an index at `index.test`."""
    inner = b"\x02\x01\x0aindex.test\x02\x24" + source.text(f"token-id {label}", 36, "0123456789abcdef").encode()
    inner += b"\x00\x02\x15[3,\"permissions\"]\x00\x00\x06\x20" + source.raw(f"token {label}", 72)
    return "pypi-" + base64.urlsafe_b64encode(inner).decode().rstrip("=")


def _forge_file(word):
    return f"git.corp.test:\n    user: samkeller\n    oauth_token: gho_{word}\n    git_protocol: https\n"


def _cluster_file(source, word):
    authority = base64.b64encode(source.raw("cluster-authority", 48)).decode()
    return (
        "apiVersion: v1\nkind: Config\nclusters:\n- name: shop\n  cluster:\n    server: https://k8s.corp.test:6443\n"
        f"    certificate-authority-data: {authority}\ncontexts:\n- name: shop\n  context: {{cluster: shop, user: sam}}\n"
        f"current-context: shop\nusers:\n- name: sam\n  user:\n    token: {word}\n"
    )


def _dotenv(word, other):
    return f"DEBUG=0\nDATABASE_URL=postgresql://shop:{word}@db.corp.test:5432/shop\nSECRET_KEY={other}\n"


def _history():
    return (
        b"cd shop\ngit pull\nssh deploy@build.corp.test\nscp dump.sql.gz sam@192.0.2.17:/srv/backup/\n"
        b"psql -h db.corp.test -U shop shop\nkubectl get pods -n shop\nexit\n"
    )


def _documents(source):
    one, two, three = (source.text(f"document {number}", 24, UPPER + DIGITS) for number in (1, 2, 3))
    return {
        "document-passwords": ("Documents/passwords.txt", f"router  admin / {one}\nvpn.corp.test  sam / see safe\n", one),
        "document-accounts": ("Documents/accounts-2024.csv", f"date,account,amount\n2024-03-01,{two},1250.00\n", two),
        "document-contract": ("Documents/contract-draft.md", f"# Draft contract\n\nReference {three}\n\nNot for distribution.\n", three),
    }


def _browser(source, login, cookie):
    logins = {
        "nextId": 2,
        "logins": [{
            "id": 1, "hostname": "https://bank.test", "httpRealm": None, "formSubmitURL": "https://bank.test", "usernameField": "user",
            "passwordField": "password", "encryptedUsername": source.text("login-user", 44), "encryptedPassword": login,
            "guid": "{8c2e1c3a-3f0e-4c0e-9a57-1f8f5d2b9d10}", "encType": 1, "timeCreated": 1704067200000, "timesUsed": 9,
        }],
        "version": 3,
    }  # fmt: skip
    return {
        f"{FIREFOX}/logins.json": json.dumps(logins),
        f"{FIREFOX}/cookies.sqlite": _database(
            "CREATE TABLE moz_cookies (id INTEGER PRIMARY KEY, name TEXT, value TEXT, host TEXT, path TEXT, expiry INTEGER)",
            "INSERT INTO moz_cookies VALUES (1, 'session', ?, '.bank.test', '/', 4070908800)",
            cookie,
        ),
        f"{CHROME}/Login Data": _database(
            "CREATE TABLE logins (origin_url TEXT, username_value TEXT, password_value BLOB)",
            "INSERT INTO logins VALUES ('https://bank.test/', 'sam', ?)",
            login,
        ),
    }


def _database(schema, insert, value):
    """A SQLite file with one row, the same bytes from every version of the library."""
    import sqlite3

    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA page_size = 4096")
    connection.execute(schema)
    connection.execute(insert, (value,))
    data = bytearray(connection.serialize())
    connection.close()
    # Change counter, version-valid-for and the library's version differ from one library to the next (file format, 1.3).
    data[24:28] = data[92:96] = struct.pack(">I", 1)
    data[96:100] = struct.pack(">I", 3040000)
    return bytes(data)
