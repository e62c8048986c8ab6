import { createHash } from 'node:crypto'
import { PytiError } from '../errors.ts'
import { blobCorrupt, blobMissing, checkDigest } from './blob-errors.ts'
import type { BlobStore } from './store.ts'

/** Blobs without a disk, for tests and simulations. `path` throws: there is none. */
export function createMemoryBlobs(): BlobStore {
  const blobs = new Map<string, Uint8Array>()
  return {
    async size(sha256) {
      checkDigest(sha256)
      return blobs.get(sha256)?.length
    },
    async read(sha256, offset, length) {
      checkDigest(sha256)
      const bytes = blobs.get(sha256)
      if (!bytes) throw blobMissing(sha256)
      return bytes.slice(offset, offset + length)
    },
    async put(sha256, source) {
      checkDigest(sha256)
      if (blobs.has(sha256)) return
      const chunks: Uint8Array[] = []
      for await (const chunk of source) chunks.push(Uint8Array.from(chunk))
      const bytes = Uint8Array.from(Buffer.concat(chunks))
      const digest = createHash('sha256').update(bytes).digest('hex')
      if (digest !== sha256) throw blobCorrupt(sha256, digest)
      blobs.set(sha256, bytes)
    },
    path(sha256) {
      throw new PytiError('no-path', `blob ${sha256} is held in memory and has no path`)
    },
    async delete(sha256) {
      checkDigest(sha256)
      blobs.delete(sha256)
    },
  }
}
