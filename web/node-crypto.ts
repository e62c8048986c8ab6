import { concatBytes, toBase64, toHex, utf8 } from '../src/wire/bytes.ts'
import { sha256 } from './sha256.ts'

/** Stands in for `node:crypto` in the page. */
export function createHash(algorithm: string) {
  if (algorithm !== 'sha256') throw new Error(`there is no ${algorithm} in this page`)
  const parts: Uint8Array[] = []
  const self = {
    update(data: Uint8Array | string) {
      parts.push(typeof data === 'string' ? utf8(data) : data)
      return self
    },
    digest(encoding?: 'hex' | 'base64') {
      const bytes = sha256(concatBytes(...parts))
      return encoding === 'hex' ? toHex(bytes) : encoding === 'base64' ? toBase64(bytes) : bytes
    },
  }
  return self
}
