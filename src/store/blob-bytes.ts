import { createHash } from 'node:crypto'
import { PytiError } from '../errors.ts'
import { blobMissing } from './blob-errors.ts'
import type { BlobStore } from './store.ts'

/**
 * A whole blob in memory, for small ones.
 * @throws PytiError `blob-missing` | `too-large`
 */
export async function readBlob(blobs: BlobStore, sha256: string, maxBytes: number): Promise<Uint8Array> {
  const size = await blobs.size(sha256)
  if (size === undefined) throw blobMissing(sha256)
  if (size > maxBytes)
    throw new PytiError('too-large', `blob ${sha256} has ${size} bytes, at most ${maxBytes} are read`)
  return blobs.read(sha256, 0, size)
}

/** Stores bytes that are at hand. @returns their digest */
export async function putBytes(blobs: BlobStore, bytes: Uint8Array): Promise<string> {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await blobs.put(sha256, [bytes])
  return sha256
}
