import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { PytiError } from '../errors.ts'

/**
 * RFC 8785 (JCS) text of a JSON value. Numbers must be safe integers: floats print differently elsewhere.
 * @throws PytiError `not-json`, also for half a character
 */
export function canonicalJson(value: unknown): string {
  assertPlain(value, '$')
  let text: string | undefined
  try {
    text = canonicalize(value)
  } catch (cause) {
    throw new PytiError('not-json', 'value has no canonical JSON form', { cause })
  }
  if (text === undefined) throw new PytiError('not-json', 'value has no JSON form')
  return text
}

export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value))
}

/** Lower-case hex SHA-256. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

/** SHA-256 of the RFC 8785 form: how jobs, images and records are named. */
export function digestOf(value: unknown): string {
  return sha256(canonicalBytes(value))
}

/**
 * Parses JSON that must already be in RFC 8785 form. The byte-for-byte round trip refuses duplicate keys, odd
 * numbers, stray whitespace and invalid UTF-8 in one comparison.
 * @throws PytiError `not-canonical`
 */
export function parseCanonical(bytes: Uint8Array): unknown {
  let value: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
    if (isCanonical(value, text) || canonicalJson(value) === text) return value
  } catch (cause) {
    throw new PytiError('not-canonical', 'payload is not JSON in RFC 8785 form', { cause })
  }
  throw new PytiError('not-canonical', 'payload is not in RFC 8785 form')
}

function assertPlain(value: unknown, path: string): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new PytiError('not-json', `${path} is not a safe integer`)
  if (Array.isArray(value))
    value.forEach((item, index) => {
      assertPlain(item, `${path}[${index}]`)
    })
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value))
      if (item !== undefined) assertPlain(item, `${path}.${key}`)
}

/**
 * Whether the text is the canonical form of the value, told without making it: ECMAScript prints strings and safe integers as
 * RFC 8785 wants them, so only the order of keys, other numbers and half characters are left. False says nothing.
 */
function isCanonical(value: unknown, text: string): boolean {
  return JSON.stringify(value) === text && isOrdered(value)
}

function isOrdered(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  if (typeof value === 'string') return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isOrdered)
  if (typeof value !== 'object' || value === null) return true
  let before: string | undefined
  for (const [key, item] of Object.entries(value)) {
    if ((before !== undefined && before >= key) || !key.isWellFormed() || !isOrdered(item)) return false
    before = key
  }
  return true
}
