import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { digestFile } from '../digest-file.ts'
import { diskTrouble } from '../host-disk.ts'
import { makeOwnedFolder } from '../owned-folder.ts'
import { noteUse } from '../unused.ts'
import { Sha256 } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import {
  type DownloadRequest,
  hasCode,
  saveBody,
  saveBytes,
  tooLarge,
  type WantedFile,
} from './download-body.ts'
import { createHttp, type HttpOptions } from './http.ts'

export interface DownloadCache {
  /**
   * Path of a file with exactly this digest: from the cache, re-read and checked before each use, or downloaded.
   * @throws PytiError `hash-mismatch` | `file-missing` | `too-large` | `index-unreachable` | `host-out-of-disk` |
   * `host-disk-unusable`, or the signal's reason
   */
  fetch(
    request: DownloadRequest,
    options?: { signal?: AbortSignal; onProgress?: (bytes: number) => void },
  ): Promise<string>
  /** As `fetch`, of a file that a peer sends. Throws also what the source throws. */
  receive(file: WantedFile, source: () => AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<string>
}

/**
 * Files named by SHA-256, from the index or from peers. Safe for several processes at once: each writes to a folder of its own and
 * renames. Each use is noted, for `removeUnused`.
 * @param options.indexUrl credentials in it go to its own origin only
 */
export function createDownloadCache(
  options: HttpOptions & { dir: string; maxBytes?: number },
): DownloadCache {
  const { dir, clock, maxBytes = limits.distributionBytes } = options
  const http = createHttp(options)

  /** @param save writes the file to a path and throws unless it is the one wanted */
  async function find(
    wanted: WantedFile,
    save: (path: string) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    signal?.throwIfAborted()
    Sha256.parse(wanted.sha256)
    if ((wanted.size ?? 0) > maxBytes) throw tooLarge(wanted, maxBytes)
    try {
      const path = join(dir, wanted.sha256)
      if ((await digestOfFile(path, signal)) === wanted.sha256) {
        await noteUse(path, clock.now())
        return path
      }
      await mkdir(dir, { recursive: true })
      const part = await makeOwnedFolder(dir, 'part')
      try {
        const fresh = join(part, 'file')
        await save(fresh)
        await rename(fresh, path)
      } finally {
        await rm(part, { recursive: true, force: true })
      }
      return path
    } catch (cause) {
      throw diskTrouble(cause) ?? cause
    }
  }

  return {
    fetch(request, { signal, onProgress = () => {} } = {}) {
      const save = (path: string) => {
        const receive = (response: Response, alive: () => void) =>
          saveBody(response, path, request, maxBytes, bytes => {
            signal?.throwIfAborted()
            alive()
            onProgress(bytes)
          })
        return http.get(request.url, {}, receive, signal)
      }
      return find(request, save, signal)
    },
    receive: (file, source, signal) => find(file, path => saveBytes(source(), path, file, maxBytes), signal),
  }
}

/** @returns undefined when there is no such file */
export async function digestOfFile(path: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return await digestFile(path, signal)
  } catch (cause) {
    signal?.throwIfAborted()
    if (hasCode(cause, 'ENOENT')) return undefined
    throw cause
  }
}
