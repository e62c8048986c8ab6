import { nodeHash, type ReadHash } from '../attest/log/merkle.ts'
import { levelCount, tilePath, tileWidth } from '../attest/log/tiles.ts'
import { PytiError } from '../errors.ts'
import type { TileFiles } from '../store/tile-files.ts'

/** Hashes out of tiles, with the tiles read last kept in memory. */
export interface TileHashes {
  /** Hashes of the tree of `size` leaves, whose tiles must be there. Reading throws PytiError `tile-missing` | `bad-tile`. */
  at(size: number): ReadHash
}

/** The hashes of a tile and those of the pairs above them, as far as they were asked for: 256 hashes, 128, ... 2. */
interface LoadedTile {
  layers: Uint8Array[]
}

const hashBytes = 32
const heights = 8

/** @param keep tiles in memory, about 17 kB each */
export function createTileHashes(files: Pick<TileFiles, 'read'>, keep = 512): TileHashes {
  const loaded = new Map<string, Promise<LoadedTile>>()

  const load = (level: number, index: number, width: number): Promise<LoadedTile> => {
    const path = tilePath(level, index, width)
    const known = loaded.get(path)
    const tile = known ?? readTile(files, level, index, width).then(bytes => ({ layers: [bytes] }))
    // What could not be read may be there the next time.
    if (!known) tile.catch(() => loaded.delete(path))
    // Behind all others: the first one is the one not used for longest.
    loaded.delete(path)
    loaded.set(path, tile)
    const [oldest] = loaded.keys()
    if (loaded.size > keep && oldest !== undefined) loaded.delete(oldest)
    return tile
  }

  return {
    at: size => async (level, index) => {
      const tileLevel = Math.floor(level / heights)
      const height = level % heights
      const perTile = tileWidth / 2 ** height
      const tileIndex = Math.floor(index / perTile)
      const width = Math.min(tileWidth, levelCount(size, tileLevel) - tileIndex * tileWidth)
      if (!(width > 0)) throw missing(tilePath(tileLevel, tileIndex))
      const tile = await load(tileLevel, tileIndex, width)
      const at = (index - tileIndex * perTile) * hashBytes
      const hash = layerOf(tile, height).subarray(at, at + hashBytes)
      if (hash.length !== hashBytes) throw missing(tilePath(tileLevel, tileIndex, tileWidth))
      return hash
    },
  }
}

/**
 * A tile of the tree that has `width` hashes there: the partial file, or the beginning of the full one that superseded it.
 * @throws PytiError `tile-missing` | `bad-tile`
 */
export async function readTile(
  files: Pick<TileFiles, 'read'>,
  level: number,
  index: number,
  width: number,
): Promise<Uint8Array> {
  const path = tilePath(level, index, width)
  const exact = await files.read(path)
  if (exact && exact.length !== width * hashBytes)
    throw new PytiError('bad-tile', `${path} has ${exact.length} bytes`, { hint })
  const bytes = exact ?? (await files.read(tilePath(level, index)))
  if (!bytes || bytes.length < width * hashBytes) throw missing(path)
  return bytes.subarray(0, width * hashBytes)
}

/** Root of the subtree that a full tile holds: a hash of the next level's tile. */
export function rootOfTile(bytes: Uint8Array): Uint8Array {
  return nodesAbove(layerOf({ layers: [bytes] }, heights - 1))
}

function layerOf({ layers }: LoadedTile, height: number): Uint8Array {
  for (let top = layers.at(-1); top && layers.length <= height; top = layers.at(-1))
    layers.push(nodesAbove(top))
  return layers[height] ?? new Uint8Array()
}

/** Hashes of pairs; one left over has no node above it yet. */
function nodesAbove(hashes: Uint8Array): Uint8Array {
  const count = Math.floor(hashes.length / hashBytes / 2)
  const nodes = new Uint8Array(count * hashBytes)
  for (let node = 0; node < count; node += 1) {
    const at = node * 2 * hashBytes
    const left = hashes.subarray(at, at + hashBytes)
    nodes.set(nodeHash(left, hashes.subarray(at + hashBytes, at + 2 * hashBytes)), node * hashBytes)
  }
  return nodes
}

const hint = 'move the log folder away and restart: it is made again from the store'

function missing(path: string): PytiError {
  return new PytiError('tile-missing', `${path} is not in the log folder`, { hint })
}
