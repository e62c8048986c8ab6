import { open } from 'node:fs/promises'
import type { BlobReader } from './network.ts'

/** A file offered as a blob; opened for each range, so that nothing is held open between them. */
export function fileBlob(path: string, size: number): BlobReader {
  return {
    size,
    async read(offset, length) {
      const file = await open(path)
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      } finally {
        await file.close()
      }
    },
  }
}
