import { PytiError } from '../errors.ts'

/** A digest becomes a path: nothing but 64 hex digits may pass. */
export function checkDigest(sha256: string): void {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new PytiError(
      'bad-digest',
      `${JSON.stringify(sha256.slice(0, 80))} is not a SHA-256 in lower-case hex`,
    )
}

export function blobMissing(sha256: string): PytiError {
  return new PytiError('blob-missing', `there is no blob ${sha256} here`)
}

export function blobCorrupt(sha256: string, found: string): PytiError {
  return new PytiError('blob-corrupt', `the bytes have the SHA-256 ${found}, not ${sha256}`, {
    hint: 'fetch it again, from another peer if it happens twice',
  })
}
