import { createHash } from 'node:crypto'
import { PytiError } from '../../errors.ts'
import { concatBytes, fromBase64, toBase64, utf8 } from '../../wire/bytes.ts'
import { isPrimeOrderPoint } from '../curve.ts'

/** A verifier key: Ed25519, of a log (type 0x01) or of a witness (type 0x04). */
export interface Vkey {
  readonly name: string
  readonly id: number
  readonly type: 1 | 4
  readonly publicKey: Uint8Array
}

/** Names of keys: no spaces of any script, no `+`, no control characters. */
export const vkeyName = /^[^\s\p{Z}\p{Cc}+]{1,255}$/u

/** First four bytes of SHA-256(name, newline, type, key), as a number (C2SP signed-note). A hint, not an identity. */
export function keyId(name: string, type: 1 | 4, publicKey: Uint8Array): number {
  const digest = createHash('sha256')
    .update(concatBytes(utf8(`${name}\n`), Uint8Array.of(type), publicKey))
    .digest('hex')
  return Number.parseInt(digest.slice(0, 8), 16)
}

/**
 * `name+hex8(id)+base64(type || key)`.
 * @throws PytiError `bad-note` for a name or key that cannot be one
 */
export function formatVkey(name: string, type: 1 | 4, publicKey: Uint8Array): string {
  if (!vkeyName.test(name) || !name.isWellFormed())
    throw badKey('its name is empty, too long, or holds a space or a plus sign')
  if (!isPrimeOrderPoint(publicKey)) throw badKey('its Ed25519 key is not canonical or not of prime order')
  const id = keyId(name, type, publicKey).toString(16).padStart(8, '0')
  return `${name}+${id}+${toBase64(concatBytes(Uint8Array.of(type), publicKey))}`
}

/**
 * Reads a verifier key; its id must fit, and the key must be of prime order.
 * @throws PytiError `bad-note`
 */
export function parseVkey(text: string): Vkey {
  // The base64 may hold more plus signs.
  const [, name, , encoded] = /^([^+]{1,255})\+([0-9a-f]{8})\+(.{44})$/u.exec(text) ?? []
  const bytes = fromBase64(encoded ?? '')
  if (name === undefined || bytes?.length !== 33) throw badKey('it does not have the form of one')
  const [type] = bytes
  if (type !== 1 && type !== 4)
    throw badKey('its type is neither Ed25519 (0x01) nor Ed25519 cosignature (0x04)')
  const publicKey = bytes.slice(1)
  if (formatVkey(name, type, publicKey) !== text) throw badKey('its id does not fit its name and key')
  return { name, id: keyId(name, type, publicKey), type, publicKey }
}

/** The bytes under a cosignature (C2SP tlog-cosignature). `time` in seconds since 1970. */
export function cosigned(body: string, time: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${time}\n${body}`)
}

function badKey(why: string): PytiError {
  return new PytiError('bad-note', `not an acceptable verifier key: ${why}`)
}
