import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { imageIdOf } from './store.ts'

const hour = 3_600_000
/** An image nobody has opened for so long is taken for left behind; whoever runs VMs opens it for each job. */
export const unusedMs = 30 * 24 * hour

/**
 * Removes images and stages unused for long, and files nothing refers to. What refers to a file is any digest in a manifest
 * or record that stays, whatever its form: another version of this software may be using it.
 * @returns ids of removed images, and freed bytes
 */
export async function collectImages(options: {
  /** The images folder. */
  dir: string
  /** Images and stages of this version, never removed. */
  keep: { images: string[]; stages: string[] }
  /** Milliseconds since its last use from which on anything else goes; 0: at once. */
  unusedMs: number
  now: number
}): Promise<{ images: string[]; freedBytes: number }> {
  const { dir, keep, now } = options
  const needed = new Set<string>()
  const images: string[] = []
  const isOld = async (path: string) => now - (await stat(path)).mtimeMs >= options.unusedMs
  const need = (text: string) => {
    for (const [digest] of text.matchAll(/[0-9a-f]{64}/g)) needed.add(digest)
  }

  for (const name of await readdir(dir).catch(() => [])) {
    const id = imageIdOf(name)
    const path = join(dir, name)
    if (!id) continue
    if (keep.images.includes(id) || !(await isOld(path))) need(await readFile(path, 'utf8'))
    else {
      await rm(path, { force: true })
      images.push(id)
    }
  }
  const keptRecords = new Set(keep.stages.map(key => `stage-${key}.json`))
  for (const name of await readdir(join(dir, 'built')).catch(() => [])) {
    const path = join(dir, 'built', name)
    const text = await readFile(path, 'utf8')
    const kept = keptRecords.has(name) || includesAny(text, keep.images) || !(await isOld(path))
    if (kept && !includesAny(text, images)) need(text)
    else await rm(path, { force: true })
  }
  return { images, freedBytes: await removeUnneeded(join(dir, 'files'), needed, now) }
}

const includesAny = (text: string, ids: string[]) => ids.some(id => text.includes(id))

async function removeUnneeded(dir: string, needed: Set<string>, now: number): Promise<number> {
  let freed = 0
  for (const name of await readdir(dir).catch(() => [])) {
    if (needed.has(name)) continue
    const path = join(dir, name)
    const { size, ctimeMs } = await stat(path)
    // A build or a fetch in another process names its files only at its end.
    if (now - ctimeMs < hour) continue
    await rm(path, { force: true })
    freed += size
  }
  return freed
}
