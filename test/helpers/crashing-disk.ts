import { dirname } from 'node:path'
import type { Disk } from '../../src/store/disk.ts'
import type { Store } from '../../src/store/store.ts'

/** The moment a machine loses its power, shared by its store and its disk. */
export interface Crash {
  /** Changes asked for so far. */
  count(): number
  during<T>(change: () => Promise<T>, torn?: () => void): Promise<T>
}

/**
 * @param at the change during which the power fails, from 1: `before` it happened or `after`, when nobody hears of it any
 *   more; never without it
 */
export function createCrash(at?: number, mode: 'before' | 'after' = 'before'): Crash {
  let count = 0
  return {
    count: () => count,
    async during(change, torn) {
      count += 1
      if (at === undefined || count < at) return change()
      if (count === at && mode === 'after') await change()
      else if (count === at) torn?.()
      throw new Error(`the power failed at change ${at}`)
    },
  }
}

export function powerStore(inner: Store, crash: Crash): Store {
  return { ...inner, batch: writes => crash.during(() => inner.batch(writes)) }
}

type Names = Map<string, Uint8Array | 'folder'>

export interface MemoryDisk extends Disk {
  /** Paths of all files. */
  files(): string[]
  /** Bytes that go bad unnoticed. */
  overwrite(path: string, bytes: Uint8Array): void
  /** The disk after a power failure: every name that was not synced is lost or not, as `lost` says. */
  afterCrash(lost: () => boolean, crash?: Crash): MemoryDisk
}

/** A disk that forgets what was not synced: bytes of a file are safe once written, its name once its folder is synced. */
export function createMemoryDisk(crash: Crash = createCrash(), safe: Names = new Map()): MemoryDisk {
  const live: Names = new Map(safe)
  const under = (path: string, folder: string) => path.startsWith(`${folder}/`)
  const demandFolder = (path: string) => {
    if (path !== '/' && live.get(path) !== 'folder') throw new Error(`ENOENT: ${path}`)
  }

  return {
    async read(path) {
      const found = live.get(path)
      return found === 'folder' ? undefined : found
    },
    write: (path, bytes) =>
      crash.during(
        async () => {
          demandFolder(dirname(path))
          if (live.has(path)) throw new Error(`EEXIST: ${path}`)
          live.set(path, Uint8Array.from(bytes))
        },
        () => live.set(path, bytes.slice(0, bytes.length >> 1)),
      ),
    rename: (from, to) =>
      crash.during(async () => {
        const bytes = live.get(from)
        if (bytes === undefined) throw new Error(`ENOENT: ${from}`)
        demandFolder(dirname(to))
        live.delete(from)
        live.set(to, bytes)
      }),
    makeFolder: path =>
      crash.during(async () => {
        let made: string | undefined
        for (let folder = path; folder !== '/' && !live.has(folder); folder = dirname(folder)) {
          live.set(folder, 'folder')
          made = folder
        }
        return made
      }),
    syncFolder: path =>
      crash.during(async () => {
        demandFolder(path)
        for (const name of new Set([...live.keys(), ...safe.keys()])) {
          if (dirname(name) !== path) continue
          const found = live.get(name)
          if (found === undefined) safe.delete(name)
          else safe.set(name, found)
        }
      }),
    remove: path =>
      crash.during(async () => {
        for (const name of [...live.keys()]) if (name === path || under(name, path)) live.delete(name)
      }),
    files: () => [...live].filter(([, found]) => found !== 'folder').map(([name]) => name),
    overwrite: (path, bytes) => live.set(path, bytes),
    afterCrash(lost, next) {
      const left: Names = new Map()
      // Shorter names first, so that a folder comes before what is in it.
      for (const name of [...new Set([...live.keys(), ...safe.keys()])].sort((a, b) => a.length - b.length)) {
        const unsynced = live.get(name) !== safe.get(name)
        const found = unsynced && lost() ? safe.get(name) : live.get(name)
        const folder = dirname(name)
        if (found !== undefined && (folder === '/' || left.has(folder))) left.set(name, found)
      }
      return createMemoryDisk(next, left)
    },
  }
}
