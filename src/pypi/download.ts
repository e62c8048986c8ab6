import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { digestFile } from '../digest-file.ts'
import { Sha256 } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import { asDiskFull, type DownloadRequest, hasCode, saveBody, tooLarge } from './download-body.ts'
import { createHttp, type HttpOptions } from './http.ts'

export interface DownloadCache {
  /**
   * Path of a file with exactly this digest: from the cache, re-read and checked before each use, or downloaded.
   * @throws PytiError `hash-mismatch` | `file-missing` | `too-large` | `index-unreachable` | `disk-full`, or the
   * signal's reason
   */
  fetch(
    request: DownloadRequest,
    options?: { signal?: AbortSignal; onProgress?: (bytes: number) => void },
  ): Promise<string>
}

const partPrefix = 'part-'
const abandonedMs = 24 * 3_600_000
/** A volunteer runs for months, and most files are wanted by a few jobs of one day. */
const unusedMs = 14 * 24 * 3_600_000
const sweepMs = 24 * 3_600_000

/**
 * Downloads named by SHA-256. Safe for several processes at once: each writes to a folder of its own and renames. What nobody
 * asked for in 14 days is removed.
 * @param options.indexUrl credentials in it go to its own origin only
 */
export function createDownloadCache(
  options: HttpOptions & { dir: string; maxBytes?: number },
): DownloadCache {
  const { dir, clock, maxBytes = limits.distributionBytes } = options
  const http = createHttp(options)
  let prepared: Promise<void> | undefined
  let sweptAt = 0

  async function prepare(): Promise<void> {
    sweptAt = clock.now()
    await mkdir(dir, { recursive: true })
    for (const name of await readdir(dir)) {
      const left = await stat(join(dir, name)).catch(() => undefined)
      const allowed = name.startsWith(partPrefix) ? abandonedMs : unusedMs
      if (left && clock.now() - left.mtimeMs > allowed)
        await rm(join(dir, name), { recursive: true, force: true })
    }
  }

  return {
    async fetch(request, { signal, onProgress = () => {} } = {}) {
      signal?.throwIfAborted()
      Sha256.parse(request.sha256)
      if ((request.size ?? 0) > maxBytes) throw tooLarge(request, maxBytes)
      if (!prepared || clock.now() - sweptAt > sweepMs) prepared = prepare()
      try {
        await prepared
        const path = join(dir, request.sha256)
        if ((await digestOfFile(path, signal)) === request.sha256) {
          const now = new Date(clock.now())
          await utimes(path, now, now)
          return path
        }
        const part = await mkdtemp(join(dir, partPrefix))
        try {
          const fresh = join(part, 'file')
          const receive = (response: Response, alive: () => void) =>
            saveBody(response, fresh, request, maxBytes, bytes => {
              signal?.throwIfAborted()
              alive()
              onProgress(bytes)
            })
          await http.get(request.url, {}, receive, signal)
          await rename(fresh, path)
        } finally {
          await rm(part, { recursive: true, force: true })
        }
        return path
      } catch (cause) {
        prepared = undefined
        throw asDiskFull(cause, dir)
      }
    },
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
