import { createHash, type Hash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { PytiError } from '../errors.ts'
import { blobCorrupt, blobMissing, checkDigest } from './blob-errors.ts'
import type { BlobStore } from './store.ts'

/**
 * Opens the blobs in a directory, which is made when missing: `ab/cd/DIGEST`, half-written ones in `tmp/`. What an
 * earlier process left in `tmp/` is removed, so one directory serves one process.
 */
export async function openBlobStore(dir: string): Promise<BlobStore> {
  const root = resolve(dir)
  const temporary = join(root, 'tmp')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })

  const path = (sha256: string): string => {
    checkDigest(sha256)
    return join(root, sha256.slice(0, 2), sha256.slice(2, 4), sha256)
  }
  const size = async (sha256: string): Promise<number | undefined> => {
    const found = await ignoreMissing(stat(path(sha256)))
    return found?.isFile() ? found.size : undefined
  }

  return {
    path,
    size,
    async read(sha256, offset, length) {
      const file = await ignoreMissing(open(path(sha256), 'r'))
      if (!file) throw blobMissing(sha256)
      try {
        return await readFully(file, offset, length)
      } finally {
        await file.close()
      }
    },
    async put(sha256, source) {
      const target = path(sha256)
      if ((await size(sha256)) !== undefined) return
      const half = join(temporary, randomUUID())
      try {
        const digest = await writeSynced(half, source)
        if (digest !== sha256) throw blobCorrupt(sha256, digest)
        await mkdir(dirname(target), { recursive: true })
        await rename(half, target)
        await syncDirectory(dirname(target))
      } finally {
        await rm(half, { force: true })
      }
    },
    async delete(sha256) {
      await rm(path(sha256), { force: true })
    },
  }
}

async function readFully(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const { size } = await file.stat()
  const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)))
  let done = 0
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done)
    if (bytesRead === 0) throw new PytiError('blob-corrupt', 'a blob became shorter while it was read')
    done += bytesRead
  }
  return bytes
}

/** @returns digest of what was written */
async function writeSynced(
  path: string,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<string> {
  const hash: Hash = createHash('sha256')
  const file = await open(path, 'wx', 0o644)
  try {
    for await (const chunk of source) {
      hash.update(chunk)
      await file.writeFile(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

/** A rename is durable only once the directory that holds the name is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function ignoreMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
