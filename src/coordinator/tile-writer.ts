import { leafHash, rootAt } from '../attest/log/merkle.ts'
import { encodeEntries, entriesPath, levelCount, tilePath, tileWidth } from '../attest/log/tiles.ts'
import type { TileFiles } from '../store/tile-files.ts'
import type { Ledger } from './ledger.ts'
import { createTileHashes, readTile, rootOfTile } from './tile-hashes.ts'

const hashBytes = 32
/** Files written at once: a sync of many costs the disk hardly more than one. */
const together = 32

/** The tile of a level that is not full yet. */
interface Edge {
  index: number
  hashes: Uint8Array[]
  changed: boolean
}

/**
 * Writes the tiles and entry bundles that a log of `to` leaves has beyond those of `from` leaves. Not synced.
 * @returns root of the `to` leaves, not read back from the files
 * @throws PytiError `tile-missing` when the tiles of `from` leaves are not there; what the files and the ledger throw
 */
export async function writeTiles(
  files: TileFiles,
  leaves: Pick<Ledger, 'entries'>,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const edges = await readEdges(files, from)
  const write = createWriteQueue(files)
  const firstBundle = Math.floor(from / tileWidth)
  let bundle: Uint8Array[] = []
  let bundleIndex = firstBundle
  edges[0] = { index: firstBundle, hashes: [], changed: false }

  const add = async (level: number, hash: Uint8Array): Promise<void> => {
    edges[level] ??= { index: 0, hashes: [], changed: false }
    const edge = edges[level]
    edge.changed = true
    edge.hashes.push(hash)
    if (edge.hashes.length < tileWidth) return
    const tile = Buffer.concat(edge.hashes)
    await write.add(tilePath(level, edge.index), tile)
    edges[level] = { index: edge.index + 1, hashes: [], changed: false }
    await add(level + 1, rootOfTile(tile))
  }

  for await (const entry of leaves.entries(firstBundle * tileWidth, to)) {
    bundle.push(entry)
    await add(0, leafHash(entry))
    if (bundle.length < tileWidth) continue
    await write.add(entriesPath(bundleIndex), encodeEntries(bundle))
    bundle = []
    bundleIndex += 1
  }
  if (bundle.length > 0) await write.add(entriesPath(bundleIndex, bundle.length), encodeEntries(bundle))
  for (const [level, { index, hashes, changed }] of edges.entries())
    if (changed) await write.add(tilePath(level, index, hashes.length), Buffer.concat(hashes))
  await write.flush()
  return rootAt(to, createTileHashes({ read: async path => lastTile(edges, path) }).at(to))
}

/** The root is made of hashes in the last tile of each level only. */
function lastTile(edges: readonly Edge[], path: string): Uint8Array | undefined {
  const level = edges.findIndex(
    ({ index, hashes }, at) => hashes.length > 0 && tilePath(at, index, hashes.length) === path,
  )
  return level === -1 ? undefined : Buffer.concat(edges[level]?.hashes ?? [])
}

/** Removes the partial tiles that became full between two sizes. */
export async function removePartialTiles(files: TileFiles, from: number, to: number): Promise<void> {
  for (let level = 0; levelCount(to, level) > 0; level += 1) {
    const last = Math.floor(levelCount(to, level) / tileWidth)
    for (let index = Math.floor(levelCount(from, level) / tileWidth); index < last; index += 1) {
      await files.removePartial(tilePath(level, index))
      if (level === 0) await files.removePartial(entriesPath(index))
    }
  }
}

/** Level 0 is left out: its last tile is made again from the entries. */
async function readEdges(files: TileFiles, size: number): Promise<Edge[]> {
  const edges: Edge[] = [{ index: 0, hashes: [], changed: false }]
  for (let level = 1; levelCount(size, level) > 0; level += 1) {
    const index = Math.floor(levelCount(size, level) / tileWidth)
    const width = levelCount(size, level) % tileWidth
    const bytes = width === 0 ? new Uint8Array() : await readTile(files, level, index, width)
    const hashes = Array.from({ length: width }, (_, at) =>
      bytes.subarray(at * hashBytes, (at + 1) * hashBytes),
    )
    edges.push({ index, hashes, changed: false })
  }
  return edges
}

function createWriteQueue(files: TileFiles) {
  let queue: [path: string, bytes: Uint8Array][] = []
  const flush = async () => {
    const writes = queue
    queue = []
    // All of them end before the first failure is told, so that nothing goes on behind the caller's back.
    const results = await Promise.allSettled(writes.map(([path, bytes]) => files.write(path, bytes)))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
  return {
    flush,
    async add(path: string, bytes: Uint8Array) {
      queue.push([path, bytes])
      if (queue.length >= together) await flush()
    },
  }
}
