import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { PytiError } from '../errors.ts'
import { isPrimeOrderPoint } from './curve.ts'

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')
/** Keys admitted lately: the subgroup check costs milliseconds, and the same few volunteers come again and again. */
const admitted = new Map<string, KeyObject>()
const admittedMax = 1_000

/**
 * OpenSSH fingerprint of an Ed25519 key, `SHA256:...`: the `keyid` of an envelope. A hint for other people's tools,
 * never a trust decision (attestation.md 2.2).
 */
export function fingerprint(publicKey: Uint8Array): string {
  const wire = Buffer.concat([sshString(Buffer.from('ssh-ed25519')), sshString(publicKey)])
  return `SHA256:${createHash('sha256').update(wire).digest('base64').replace(/=+$/, '')}`
}

/**
 * Takes a public key for verification. Libraries disagree on odd keys, and a small-order key makes one signature fit many
 * messages, so only canonical encodings of points in the prime-order subgroup are taken.
 * @throws PytiError `bad-key`
 */
export function admitKey(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey).toString('hex')
  const known = admitted.get(name)
  if (known) return known
  if (!isPrimeOrderPoint(publicKey))
    throw new PytiError('bad-key', 'the Ed25519 key is not canonical or not of prime order', {
      hint: 'an honest key generator never makes such a key: do not trust its owner',
    })
  const key = createPublicKey({
    key: Buffer.concat([spkiPrefix, publicKey]),
    format: 'der',
    type: 'spki',
  })
  if (admitted.size >= admittedMax) admitted.clear()
  admitted.set(name, key)
  return key
}

/**
 * Plain Ed25519 (RFC 8032, cofactorless). False for a signature that is not exactly 64 bytes.
 * @throws PytiError `bad-key`
 */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = admitKey(publicKey)
  return signature.length === 64 && verify(null, message, key, signature)
}

function sshString(data: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  return Buffer.concat([length, data])
}
