import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { realDisk } from '../store/disk.ts'
import { openLevelStore } from '../store/level.ts'
import type { Evidence, Memory } from '../volunteer/log-memory.ts'

/**
 * Where a volunteer keeps what it saw of logs: a database, and a small file beside it for each thing that must not happen.
 * @throws PytiError `store-locked` | `store-damaged` | `store-unavailable`
 */
export async function openLogFolder(
  dir: string,
): Promise<{ memory: Memory; evidence: Evidence; close(): Promise<void> }> {
  const store = await openLevelStore(join(dir, 'db'))
  return { memory: store, evidence: evidenceIn(dir), close: () => store.close() }
}

function evidenceIn(dir: string): Evidence {
  return {
    async write(name, text) {
      const path = join(dir, name)
      const part = `${path}.part`
      await rm(part, { force: true })
      await realDisk.write(part, Buffer.from(text))
      try {
        // Unlike a rename, it never takes the place of what is there.
        await link(part, path)
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined
        throw error
      } finally {
        await rm(part, { force: true })
      }
      await realDisk.syncFolder(dir)
      return path
    },
  }
}
