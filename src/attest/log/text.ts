import { fromBase64 } from '../../wire/bytes.ts'

/** A whole number as C2SP writes it: decimal, no leading zeroes. Undefined above 2^53 - 1 and for anything else. */
export function decimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

export function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** Canonical base64 of a 32-byte hash; undefined for anything else. */
export function base64Hash(text: string | undefined): Uint8Array | undefined {
  const bytes = text?.length === 44 ? fromBase64(text) : undefined
  return bytes?.length === 32 ? bytes : undefined
}

/** Lines of hashes, as in proof files and witness requests. C2SP sends 63 at most. */
export function hashLines(lines: readonly string[]): Uint8Array[] | undefined {
  if (lines.length > 63) return undefined
  const hashes = lines.map(base64Hash)
  return hashes.every(hash => hash !== undefined) ? hashes : undefined
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}
