"""
Just enough arithmetic for throw-away keys: P-256 signatures for the sinkhole's certificates and the public half of an
Ed25519 bait. Deterministic and not constant-time: nothing here protects anything. Starting `openssl` instead costs a
slow guest 0.1 s per call and could not give every volunteer the same certificate.
"""

import hashlib
import hmac

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

Q = 2**255 - 19
D = -121665 * pow(121666, -1, Q) % Q
BASE_Y = 4 * pow(5, -1, Q) % Q


def private_scalar(seed):
    """A P-256 private key from any bytes."""
    return int.from_bytes(hashlib.sha512(seed).digest(), "big") % (N - 1) + 1


def multiply(scalar, point=GENERATOR):
    """scalar * point on P-256, affine."""
    x, y, z = 0, 1, 0
    for bit in bin(scalar)[2:]:
        x, y, z = _double(x, y, z)
        if bit == "1":
            x, y, z = _add(x, y, z, *point)
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def sign(private, message):
    """ECDSA with SHA-256 and a nonce made from key and message: (r, s)."""
    digest = hashlib.sha256(message).digest()
    number = int.from_bytes(digest, "big")
    nonce = private_scalar(hmac.new(private.to_bytes(32, "big"), digest, "sha512").digest())
    r = multiply(nonce)[0] % N
    return r, pow(nonce, -1, N) * (number + r * private) % N


def ed25519_public(seed):
    """RFC 8032: the public key of a 32-byte private seed."""
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    point = (0, 1, 1, 0)
    base_x = _edwards_x(BASE_Y)
    base = (base_x, BASE_Y, 1, base_x * BASE_Y % Q)
    for bit in bin(int.from_bytes(digest, "little"))[2:]:
        point = _edwards_add(point, point)
        if bit == "1":
            point = _edwards_add(point, base)
    inverse = pow(point[2], -1, Q)
    x, y = point[0] * inverse % Q, point[1] * inverse % Q
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _double(x, y, z):
    if z == 0:
        return x, y, z
    square, z_square = y * y % P, z * z % P
    s = 4 * x * square % P
    m = 3 * (x - z_square) * (x + z_square) % P
    new_x = (m * m - 2 * s) % P
    return new_x, (m * (s - new_x) - 8 * square * square) % P, 2 * y * z % P


def _add(x, y, z, other_x, other_y):
    """Jacobian plus affine; the two are never equal in a multiplication by less than the order."""
    if z == 0:
        return other_x, other_y, 1
    square = z * z % P
    h = (other_x * square - x) % P
    r = (other_y * square * z - y) % P
    if h == 0:
        return _double(x, y, z) if r == 0 else (0, 1, 0)
    h_square = h * h % P
    h_cube = h_square * h % P
    v = x * h_square % P
    new_x = (r * r - h_cube - 2 * v) % P
    return new_x, (r * (v - new_x) - y * h_cube) % P, z * h % P


def _edwards_x(y):
    square = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if (x * x - square) % Q:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    return Q - x if x & 1 else x


def _edwards_add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % Q
    b = (one[1] + one[0]) * (other[1] + other[0]) % Q
    c = 2 * one[3] * other[3] * D % Q
    d = 2 * one[2] * other[2] % Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q
