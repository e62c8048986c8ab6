"""The guest's own certificate authority: X.509 (RFC 5280) written by hand, a leaf per server name, made when first asked."""

import base64
import hashlib
import ipaddress
import os

import sinkhole_curves as curves

#: Wide enough for every clock a plan sets (RFC 5280 4.1.2.5: two-digit years are 1950 to 2049).
NOT_BEFORE, NOT_AFTER = b"19900101000000Z", b"20991231235959Z"
CONTEXTS = 256

ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
EC_P256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
P256_NAME = bytes.fromhex("06082a8648ce3d030107")
COMMON_NAME = bytes.fromhex("0603550403")
BASIC_CONSTRAINTS, KEY_USAGE = bytes.fromhex("0603551d13"), bytes.fromhex("0603551d0f")
ALTERNATIVE_NAME, EXTENDED_USAGE = bytes.fromhex("0603551d11"), bytes.fromhex("0603551d25")
SUBJECT_KEY, AUTHORITY_KEY = bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23")
SERVER_AUTHENTICATION = bytes.fromhex("06082b06010505070301")
SEQUENCE, SET = 0x30, 0x31


class Authority:
    """`seed` decides both keys, so every volunteer's guest shows the same CA file."""

    def __init__(self, seed, private_dir, ca_file):
        self.private_dir, self.ca_file = private_dir, ca_file
        self._seed = seed
        self._key = curves.private_scalar(b"authority" + seed)
        self._public = curves.multiply(self._key)
        self._leaf_key = None
        self._contexts = {}

    def publish(self):
        """Writes the CA certificate where package code can read it."""
        extensions = [
            _extension(BASIC_CONSTRAINTS, _der(SEQUENCE, b"\x01\x01\xff"), critical=True),
            _extension(KEY_USAGE, b"\x03\x02\x01\x06", critical=True),
        ]
        certificate = self._issue("Local Root Authority", self._public, extensions)
        os.makedirs(os.path.dirname(self.ca_file), exist_ok=True)
        with open(self.ca_file, "w", encoding="ascii") as file:
            file.write(_pem("CERTIFICATE", certificate))
        os.chmod(self.ca_file, 0o644)

    def context(self, name):
        """A server context with a certificate for a host name or an address; the last one again when there are too many."""
        import ssl

        if name in self._contexts:
            return self._contexts[name]
        if len(self._contexts) >= CONTEXTS:
            return next(reversed(self._contexts.values()))
        path = f"{self.private_dir}/leaf.pem"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(self._leaf(name))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        # One leaf key serves every name, and sessions would outlive a phase.
        context.options |= ssl.OP_NO_TICKET
        self._contexts[name] = context
        return context

    def _leaf(self, name):
        if self._leaf_key is None:
            self._leaf_key = curves.private_scalar(b"leaf" + self._seed)
            self._leaf_public = curves.multiply(self._leaf_key)
        extensions = [
            _extension(BASIC_CONSTRAINTS, _der(SEQUENCE, b""), critical=True),
            _extension(KEY_USAGE, b"\x03\x02\x07\x80", critical=True),
            _extension(EXTENDED_USAGE, _der(SEQUENCE, SERVER_AUTHENTICATION)),
            _extension(ALTERNATIVE_NAME, _der(SEQUENCE, _general_names(name))),
        ]
        certificate = self._issue(name, self._leaf_public, extensions)
        point = _point(self._leaf_public)
        key = _der(
            SEQUENCE,
            b"\x02\x01\x01" + _der(4, self._leaf_key.to_bytes(32, "big")) + _der(0xA0, P256_NAME)
            + _der(0xA1, b"\x03" + bytes([len(point) + 1]) + b"\0" + point),
        )  # fmt: skip
        return _pem("EC PRIVATE KEY", key) + _pem("CERTIFICATE", certificate)

    def _issue(self, subject, public, extensions):
        serial = hashlib.sha256(self._seed + subject.encode()).digest()[:15]
        identifiers = [
            _extension(SUBJECT_KEY, _der(4, _key_id(public))),
            _extension(AUTHORITY_KEY, _der(SEQUENCE, _der(0x80, _key_id(self._public)))),
        ]
        body = _der(
            SEQUENCE,
            b"\xa0\x03\x02\x01\x02"
            + _der(2, b"\x01" + serial)
            + ECDSA_SHA256
            + _name("Local Root Authority")
            + _der(SEQUENCE, _der(0x17, NOT_BEFORE[2:]) + _der(0x18, NOT_AFTER))
            + _name(subject)
            + _der(SEQUENCE, EC_P256 + b"\x03\x42\0" + _point(public))
            + _der(0xA3, _der(SEQUENCE, b"".join(extensions + identifiers))),
        )
        signature = _der(SEQUENCE, b"".join(_integer(part) for part in curves.sign(self._key, body)))
        return _der(SEQUENCE, body + ECDSA_SHA256 + _der(3, b"\0" + signature))


def _der(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def _integer(value):
    return _der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _point(public):
    return b"\x04" + public[0].to_bytes(32, "big") + public[1].to_bytes(32, "big")


def _key_id(public):
    return hashlib.sha256(_point(public)).digest()[:20]


def _name(text):
    # X.520 ub-common-name is 64.
    return _der(SEQUENCE, _der(SET, _der(SEQUENCE, COMMON_NAME + _der(0x0C, text.encode()[:64]))))


def _extension(kind, value, critical=False):
    return _der(SEQUENCE, kind + (b"\x01\x01\xff" if critical else b"") + _der(4, value))


def _general_names(name):
    try:
        return _der(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _der(0x82, name.encode("ascii", "replace"))


def _pem(label, data):
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
