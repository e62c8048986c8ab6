import { mkdir, rm } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { makeOwnedFolder, sweepStaleFolders } from '../src/owned-folder.ts'

/** What a figure depends on besides the program. */
export function describeMachine(): Record<string, string | number> {
  return {
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
    node: process.version,
  }
}

/**
 * A folder for the length of `work`. Its name is one that a later run sweeps away, should this one be killed.
 */
export async function withFolder<T>(parent: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true, mode: 0o711 })
  await sweepStaleFolders(parent)
  const dir = await makeOwnedFolder(parent, 'job')
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
