import type { Random } from '../../bench/sabotage/random.ts'
import type { Disk } from '../../src/store/disk.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createMemoryBlobs } from '../../src/store/memory-blobs.ts'
import type { BlobStore, Store, Write } from '../../src/store/store.ts'
import { createMemoryDisk, type MemoryDisk } from './crashing-disk.ts'
import type { SimProcess } from './sim-queue.ts'

/** What outlives a process: its store, its log folder and its blobs. */
export interface SimStorage {
  readonly store: Store
  readonly blobs: BlobStore
  disk(): MemoryDisk
  /** The view of one life of a process. Every change takes its time, reads some of the time. */
  open(process: SimProcess): SimStorageView
  /** After the process was killed: what was under way happens wholly, in part or not at all; unsynced names may go. */
  crash(kind: 'process' | 'power'): void
}

export interface SimStorageView {
  store: Store
  blobs: BlobStore
  disk: Disk
}

export interface SimStorageOptions {
  random: Random
  /** Chance of a read that takes time. */
  slowReads: number
  /** Chance of a batch that fails. */
  failures(): number
  onBatch(writes: readonly Write[]): void
  onCheckpoint(bytes: Uint8Array): void
}

export function createSimStorage(options: SimStorageOptions): SimStorage {
  const { random, onBatch, onCheckpoint } = options
  const store = createMemoryStore()
  const blobs = createMemoryBlobs()
  let disk = createMemoryDisk()
  /** Changes that were asked for and have not happened. */
  const underWay = new Set<() => Promise<unknown>>()

  const batch = async (writes: Write[]) => {
    await store.batch(writes)
    onBatch(writes)
  }

  return {
    store,
    blobs,
    disk: () => disk,
    open(process) {
      const later = <T>(
        what: string,
        work: () => Promise<T>,
        atCrash: () => Promise<unknown> = work,
      ): Promise<T> =>
        new Promise((resolve, reject) => {
          underWay.add(atCrash)
          process.after(random.below(20), what, () => {
            underWay.delete(atCrash)
            work().then(resolve, reject)
          })
        })
      const sometimes = async () => {
        if (random.chance(options.slowReads))
          await new Promise<void>(resolve => process.after(random.below(20), 'slow read', () => resolve()))
      }
      const onDisk = disk
      return {
        store: {
          async get(key) {
            await sometimes()
            return store.get(key)
          },
          batch: writes =>
            later(
              'batch',
              async () => {
                const fails = random.chance(options.failures())
                if (!fails || random.chance(0.5)) await batch(writes)
                if (fails) throw new Error('the disk is full')
              },
              () => batch(writes),
            ),
          async *entries(prefix, limits) {
            await sometimes()
            yield* store.entries(prefix, limits)
          },
          close: async () => {},
        },
        blobs: {
          size: sha256 => blobs.size(sha256),
          read: (sha256, offset, length) => blobs.read(sha256, offset, length),
          async put(sha256, source) {
            if ((await blobs.size(sha256)) !== undefined) return
            const chunks: Uint8Array[] = []
            for await (const chunk of source) chunks.push(chunk)
            await later('blob', () => blobs.put(sha256, chunks))
          },
          path: sha256 => blobs.path(sha256),
          delete: sha256 => blobs.delete(sha256),
        },
        disk: {
          read: path => onDisk.read(path),
          write: (path, bytes) =>
            later(
              'disk write',
              () => onDisk.write(path, bytes),
              () => onDisk.write(path, bytes.slice(0, random.below(bytes.length + 1))),
            ),
          rename: (from, to) =>
            later('disk rename', async () => {
              await onDisk.rename(from, to)
              const bytes = to.endsWith('/checkpoint') ? await onDisk.read(to) : undefined
              if (bytes) onCheckpoint(bytes)
            }),
          makeFolder: path => onDisk.makeFolder(path),
          syncFolder: path => later('disk sync', () => onDisk.syncFolder(path)),
          remove: path => onDisk.remove(path),
        },
      }
    },
    crash(kind) {
      const pending = [...underWay]
      underWay.clear()
      for (const change of pending) if (random.chance(0.5)) void change().catch(() => undefined)
      if (kind === 'power') disk = disk.afterCrash(() => random.chance(0.5))
    },
  }
}
