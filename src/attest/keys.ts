import { createHash } from 'node:crypto'
import { PytiError } from '../errors.ts'
import { concatBytes, toHex, utf8 } from '../wire/bytes.ts'
import { isPrimeOrderPoint } from './curve.ts'

/** Keys admitted lately. */
const admitted = new Map<string, CryptoKey>()
const admittedMax = 1_000

/**
 * OpenSSH fingerprint of an Ed25519 key, `SHA256:...`: the `keyid` of an envelope. A hint for other people's tools,
 * never a trust decision (attestation.md 2.2).
 */
export function fingerprint(publicKey: Uint8Array): string {
  const wire = concatBytes(sshString(utf8('ssh-ed25519')), sshString(publicKey))
  return `SHA256:${createHash('sha256').update(wire).digest('base64').replace(/=+$/, '')}`
}

/**
 * Takes a public key for verification. Libraries disagree on odd keys, and a small-order key makes one signature fit many
 * messages, so only canonical encodings of points in the prime-order subgroup are taken.
 * @throws PytiError `bad-key`
 */
export async function admitKey(publicKey: Uint8Array): Promise<CryptoKey> {
  const name = toHex(publicKey)
  const known = admitted.get(name)
  if (known) return known
  if (!isPrimeOrderPoint(publicKey))
    throw new PytiError('bad-key', 'the Ed25519 key is not canonical or not of prime order', {
      hint: 'an honest key generator never makes such a key: do not trust its owner',
    })
  const key = await crypto.subtle.importKey('raw', new Uint8Array(publicKey), 'Ed25519', false, ['verify'])
  if (admitted.size >= admittedMax) admitted.clear()
  admitted.set(name, key)
  return key
}

/**
 * Plain Ed25519 (RFC 8032, cofactorless), by WebCrypto: the same in Node and in a browser. False for a signature that is not
 * exactly 64 bytes, and for one whose R is the neutral element: OpenSSL refuses it and BoringSSL does not.
 * @throws PytiError `bad-key`
 */
export async function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const key = await admitKey(publicKey)
  if (signature.length !== 64 || isNeutral(signature.subarray(0, 32))) return false
  return crypto.subtle.verify('Ed25519', key, new Uint8Array(signature), new Uint8Array(message))
}

/** The one encoding of it that could pass: others differ from what a verifier computes. */
function isNeutral(point: Uint8Array): boolean {
  return point.every((byte, index) => byte === (index === 0 ? 1 : 0))
}

function sshString(data: Uint8Array): Uint8Array {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, data.length)
  return concatBytes(length, data)
}
