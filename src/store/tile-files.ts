import { dirname, join, resolve } from 'node:path'
import { PytiError } from '../errors.ts'
import { type Disk, realDisk } from './disk.ts'

const tile = /^tile\/(?:entries|0|[1-9]\d?)\/(?:x\d{3}\/)*\d{3}$/
const partialTile = /^(.+)\.p\/[1-9]\d{0,2}$/

/** Files of a published log below one folder (C2SP tlog-tiles), made so that no crash leaves a half one. */
export interface TileFiles {
  /**
   * A tile or entry bundle, once for ever; the same bytes again are no error. Durable after `sync`.
   * @param path below the folder, such as `tile/0/x001/067.p/8`
   * @throws PytiError `tile-changed` when other bytes are there | `bad-tile-path`
   */
  write(path: string, bytes: Uint8Array): Promise<void>
  /** Everything written so far is on disk, names included, when the promise resolves. */
  sync(): Promise<void>
  read(path: string): Promise<Uint8Array | undefined>
  /** Removes the partial tiles that the full one at `path` supersedes. */
  removePartial(path: string): Promise<void>
  /** Replaces the file `checkpoint` as a whole; durable when the promise resolves. */
  writeCheckpoint(text: string): Promise<void>
  readCheckpoint(): Promise<string | undefined>
  /**
   * `document/NAME`, once for ever; durable when the promise resolves.
   * @param name 64 hex digits: a SHA-256 or an attestation id
   * @throws PytiError `document-changed` when other bytes are there | `bad-document-name`
   */
  writeDocument(name: string, bytes: Uint8Array): Promise<void>
  readDocument(name: string): Promise<Uint8Array | undefined>
}

/** Opens a log folder, which is made when missing. What an earlier process left half done is removed. */
export async function openTileFiles(dir: string, disk: Disk = realDisk): Promise<TileFiles> {
  const root = resolve(dir)
  const temporary = join(root, '.tmp')
  let count = 0
  let unsynced = new Set<string>()
  let syncing = Promise.resolve()

  await disk.remove(temporary)
  const made = await disk.makeFolder(temporary)
  for (let folder = root; made !== undefined && folder.length >= made.length; folder = dirname(folder))
    await disk.syncFolder(dirname(folder))

  /** Bytes first, name after: a file that can be found is whole. */
  const place = async (target: string, bytes: Uint8Array) => {
    count += 1
    const half = join(temporary, String(count))
    try {
      await disk.makeFolder(dirname(target))
      await disk.write(half, bytes)
      await disk.rename(half, target)
    } catch (error) {
      // On a full disk it would take the place that is left.
      await disk.remove(half).catch(() => {})
      throw error
    }
  }
  /** A file that is there may be one whose name an earlier process did not get to sync. */
  const markUnsynced = (target: string) => {
    for (let folder = dirname(target); folder.length >= root.length; folder = dirname(folder))
      unsynced.add(folder)
  }
  const placeOnce = async (path: string, bytes: Uint8Array, code: string) => {
    const target = join(root, path)
    const existing = await disk.read(target)
    if (existing && Buffer.compare(existing, bytes) !== 0)
      throw new PytiError(code, `${path} is there already, with other bytes`, {
        hint: 'move the log folder away and restart: it is made again from the store, unless the store was changed',
      })
    if (!existing) await place(target, bytes)
    markUnsynced(target)
  }
  const syncNow = async () => {
    const folders = unsynced
    unsynced = new Set()
    try {
      for (const folder of folders) await disk.syncFolder(folder)
    } catch (error) {
      for (const folder of folders) unsynced.add(folder)
      throw error
    }
  }
  /** One after the other: what is written already may be in the hands of a sync that has not ended. */
  const sync = (): Promise<void> => {
    syncing = syncing.catch(() => undefined).then(syncNow)
    return syncing
  }

  return {
    async write(path, bytes) {
      checkTilePath(path)
      await placeOnce(path, bytes, 'tile-changed')
    },
    sync,
    async read(path) {
      checkTilePath(path)
      return disk.read(join(root, path))
    },
    async removePartial(path) {
      checkTilePath(path)
      await disk.remove(join(root, `${path}.p`))
    },
    async writeCheckpoint(text) {
      await place(join(root, 'checkpoint'), Buffer.from(text))
      await disk.syncFolder(root)
    },
    async readCheckpoint() {
      const bytes = await disk.read(join(root, 'checkpoint'))
      return bytes && Buffer.from(bytes).toString('utf8')
    },
    async writeDocument(name, bytes) {
      const path = documentPath(name)
      await placeOnce(path, bytes, 'document-changed')
      for (const folder of [dirname(join(root, path)), root]) await disk.syncFolder(folder)
    },
    readDocument: async name => disk.read(join(root, documentPath(name))),
  }
}

/** Paths come from numbers; nothing else may become one. */
function checkTilePath(path: string): void {
  if (!tile.test(partialTile.exec(path)?.[1] ?? path))
    throw new PytiError('bad-tile-path', `${JSON.stringify(path.slice(0, 80))} is not the path of a tile`)
}

function documentPath(name: string): string {
  if (!/^[0-9a-f]{64}$/.test(name))
    throw new PytiError(
      'bad-document-name',
      `${JSON.stringify(name.slice(0, 80))} is not a SHA-256 in lower-case hex`,
    )
  return `document/${name}`
}
