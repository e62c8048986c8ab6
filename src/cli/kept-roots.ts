import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseVkey } from '../attest/log/note.ts'
import { openRoots, type RootState } from '../attest/root.ts'
import { rootFileBytes } from '../attest/root-file.ts'
import { messageOf, PytiError } from '../errors.ts'
import { sha256 } from '../wire/canonical.ts'

/**
 * Bytes of a root file, unchecked but for their number.
 * @throws PytiError `file-not-found` | `usage`
 */
export async function readRootFile(path: string): Promise<Buffer> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) throw new PytiError('file-not-found', `there is no root file ${path}`)
  if (info.size > rootFileBytes) throw new PytiError('usage', `${path} is larger than a root file can be`)
  return readFile(path)
}

/**
 * The root in a file, once every version of it was checked and none seen here for the same log contradicts it.
 * @param dir where the highest versions are kept
 * @param now milliseconds since 1970
 * @throws PytiError `bad-root` | `root-expired` | `root-rollback` | `root-forked` | `root-not-kept`
 */
export async function openKeptRoot(path: string, dir: string, now: number): Promise<RootState> {
  const root = await openRoots(await readRootFile(path), now)
  const logs = [...new Set(root.logKeys.map(key => parseVkey(key).name))]
  try {
    for (const log of logs) await demandNoneHigher(join(dir, sha256(log)), root)
    for (const log of logs) await keep(join(dir, sha256(log)), root)
  } catch (cause) {
    if (cause instanceof PytiError) throw cause
    throw new PytiError('root-not-kept', `the version of the root cannot be kept: ${messageOf(cause)}`, {
      hint: `make ${dir} a folder that you may write to: without it an old root could be passed off as the newest`,
      cause,
    })
  }
  return root
}

async function demandNoneHigher(dir: string, { document, ids }: RootState): Promise<void> {
  const names = await readdir(dir).catch(error => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
  const versions = names.filter(name => /^[1-9]\d{0,8}$/.test(name)).map(Number)
  const highest = Math.max(0, ...versions)
  if (highest === 0) return
  if (document.version < highest)
    throw new PytiError(
      'root-rollback',
      `this is version ${document.version} of the root, and version ${highest} was seen here before`,
      { hint: 'get the newest root file: an old one may hold keys that were taken away since' },
    )
  const seen = (await readFile(join(dir, `${highest}`), 'utf8')).trim()
  if (ids[highest - 1] !== seen)
    throw new PytiError(
      'root-forked',
      `another version ${highest} of the root was seen here before: ${seen}`,
      {
        hint: `ask who gave you this file; only if you are sure of it, remove ${dir}`,
      },
    )
}

/** A file per version, which is never written again: two processes cannot make the highest one lower. */
async function keep(dir: string, { document, ids }: RootState): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, `${document.version}`)
  const part = `${path}.${process.pid}.part`
  await writeFile(part, `${ids.at(-1)}\n`)
  try {
    await link(part, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await rm(part, { force: true })
  }
}
