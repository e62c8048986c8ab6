"""What a web client gets: a plausible answer by what it seems to want. Pure."""

import json
import re
from typing import NamedTuple

import sinkhole_payloads as payloads

PUBLIC_ADDRESS = "203.0.113.77"
METADATA = ("169.254.169.254", "fd00:ec2::254", "metadata", "metadata.")
ADDRESS_HOSTS = re.compile(
    r"(^|[.-])(ip|ip4|ipv4|api-?ipify|ipify|icanhazip|ifconfig|checkip|ipinfo|myip|whatismyip|ipecho|ident|wtfismyip|ip-api|ipapi|geoip)"
    r"([.-]|$)"
)
ADDRESS_PATHS = re.compile(r"^/(ip|myip|ip\.json|myip\.txt|geoip|my-ip)/?$")
PROBES = {
    "/generate_204": (204, b""), "/gen_204": (204, b""), "/success.txt": (200, b"success\n"), "/canonical.html": (200, payloads.PAGE),
    "/ncsi.txt": (200, b"Microsoft NCSI"), "/connecttest.txt": (200, b"Microsoft Connect Test"),
    "/hotspot-detect.html": (200, b"<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"),
}  # fmt: skip
SCRIPTS = ("sh", "bash", "py", "txt", "pl", "rb", "php", "lua", "pyw", "raw", "cfg", "conf", "dat")
PROGRAMS = ("bin", "elf", "exe", "so", "out", "dll", "x86_64", "x64", "amd64", "appimage", "run", "linux")
ARCHIVES = ("whl", "gz", "tgz", "tar", "xz", "bz2", "7z", "egg", "rar", "zst", "conda")


class Answer(NamedTuple):
    status: int
    kind: str
    content_type: str
    body: bytes


def choose(method, host, path, headers, role):
    """The answer; `kind` says what was handed out. `role`: the metadata service's credential."""
    if method == "CONNECT":
        return Answer(200, "tunnel", "text/plain", b"")
    host, plain = host.lower(), path.split("?", 1)[0]
    wanted = headers.get("accept", "").lower()
    json_wanted = "json" in wanted
    if host in METADATA[:3] or host.startswith(METADATA[3]):
        return _metadata(plain, role)
    if plain in PROBES:
        status, body = PROBES[plain]
        return Answer(status, "probe", "text/html" if body[:1] == b"<" else "text/plain", body)
    if method in ("GET", "HEAD") and (ADDRESS_HOSTS.search(host) or ADDRESS_PATHS.match(plain)):
        return _address(json_wanted or plain.rstrip("/").endswith("json") or host.startswith(("ipinfo", "ip-api", "ipapi")))
    if plain.startswith("/simple/") or plain == "/simple":
        return _index(plain, "vnd.pypi.simple" in wanted and json_wanted)
    if re.match(r"^/pypi/[^/]+/(?:[^/]+/)?json/?$", plain):
        return Answer(404, "missing", "application/json", b'{"message": "Not Found"}')
    if method not in ("GET", "HEAD"):
        return Answer(200, "json", "application/json", b"{}")
    return _download(plain, wanted, json_wanted)


def _download(plain, wanted, json_wanted):
    last = plain.rsplit("/", 1)[1].lower()
    ending = last.rsplit(".", 1)[1] if "." in last else ""
    if ending == "json" or (json_wanted and ending == ""):
        return Answer(200, "json", "application/json", b"{}")
    if ending in PROGRAMS or (not ending and re.search(r"linux|x86.?64|amd64|elf|miner|xmrig", last)):
        return Answer(200, "program", "application/octet-stream", payloads.program())
    if ending == "zip":
        return Answer(200, "archive", "application/zip", payloads.EMPTY_ZIP)
    if ending in ARCHIVES:
        return Answer(404, "missing", "text/plain", b"Not Found\n")
    if ending in ("ps1", "psm1", "bat", "vbs"):
        return Answer(200, "script", "text/plain", payloads.POWERSHELL)
    if ending in ("js", "mjs"):
        return Answer(200, "script", "text/javascript", payloads.JAVASCRIPT)
    if ending in ("gif", "png", "jpg", "jpeg", "ico", "webp"):
        return Answer(200, "image", "image/gif", payloads.PIXEL)
    if ending in ("html", "htm", "css", "xml", "svg") or ("text/html" in wanted and ending not in SCRIPTS):
        return Answer(200, "page", "text/html", payloads.PAGE)
    return Answer(200, "script", "text/plain", payloads.SCRIPT)


def _address(as_json):
    if as_json:
        body = {**dict.fromkeys(("ip", "origin", "query"), PUBLIC_ADDRESS), "country": "CH", "city": "Zurich", "status": "success"}
        return Answer(200, "address", "application/json", json.dumps(body).encode())
    return Answer(200, "address", "text/plain", PUBLIC_ADDRESS.encode() + b"\n")


def _index(plain, as_json):
    name = plain.rstrip("/").rsplit("/", 1)[1]
    if as_json:
        body = {"meta": {"api-version": "1.0"}, "name": name, "files": [], "versions": []}
        if name == "simple":
            body = {"meta": {"api-version": "1.0"}, "projects": []}
        return Answer(200, "index", "application/vnd.pypi.simple.v1+json", json.dumps(body).encode())
    return Answer(200, "index", "text/html", b"<!DOCTYPE html>\n<html><body></body></html>\n")


def _metadata(plain, role):
    name = "application-role"
    texts = {
        "/latest/api/token": "AQAEAK1mHx2v3mF0Lw8pJ5Rz4cE9nT7bQ6yD0sW2gU1hVfK8oXjIPA==",
        "/latest/meta-data/": "ami-id\nhostname\niam/\ninstance-id\nlocal-ipv4\nplacement/\n",
        "/latest/meta-data/iam/": "info\nsecurity-credentials/\n",
        "/latest/meta-data/iam/security-credentials/": name,
        "/latest/meta-data/instance-id": "i-0a1b2c3d4e5f60718",
        "/latest/meta-data/local-ipv4": "10.0.2.15",
        "/latest/meta-data/placement/region": "eu-central-1",
    }
    for path, text in texts.items():
        if plain.rstrip("/") == path.rstrip("/"):
            return Answer(200, "metadata", "text/plain", text.encode())
    if plain.endswith(f"/{name}"):
        return Answer(200, "metadata-credential", "application/json", json.dumps(role).encode())
    if plain.rstrip("/").endswith("/token") or plain.startswith("/metadata/identity"):
        body = {"access_token": role["Token"], "expires_in": 3599, "token_type": "Bearer"}
        return Answer(200, "metadata-credential", "application/json", json.dumps(body).encode())
    return Answer(200, "metadata", "text/plain", b"ok\n")
