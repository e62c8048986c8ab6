import { readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'

const hourMs = 3_600_000
/** A volunteer runs for months, and most of what it keeps is wanted by a few jobs of one day. */
export const unusedMs = 14 * 24 * hourMs

/**
 * Notes that a file or folder is used: its time of change says when it last was. An hour more or less does not matter.
 * @param now milliseconds since 1970
 */
export async function noteUse(path: string, now: number): Promise<void> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }))
  // Another user's files may be shared read-only; then their owner removes them.
  if (now - mtimeMs > hourMs) await utimes(path, now / 1000, now / 1000).catch(() => {})
}

/**
 * Removes every file and folder right below one that was not used for `unusedMs`.
 * @param now milliseconds since 1970
 */
export async function removeUnused(dir: string, now: number): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    const path = join(dir, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }))
    if (now - mtimeMs > unusedMs) await rm(path, { recursive: true, force: true })
  }
}

/** The part of a cache that is used at this time, where the entries themselves do not tell when they were: it ages as a whole. */
export const currentPart = (dir: string, now: number): string => join(dir, String(Math.floor(now / unusedMs)))
