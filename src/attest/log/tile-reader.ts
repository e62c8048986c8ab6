import { concatBytes } from '../../wire/bytes.ts'
import { emptyRoot, foldSubtrees, leafHash, type ReadHash, subtreesOf } from './merkle-hash.ts'
import { isSize, sameBytes } from './text.ts'
import { badTile, decodeEntries, levelCount, pathOf, type Tile, tileWidth } from './tiles.ts'

/** Fetches the bytes of a tile of hashes by its path. They may be anything: they are checked. */
export type FetchTile = (path: string, tile: Tile) => Uint8Array | Promise<Uint8Array>

const hashBytes = 32
const tileHeight = 8
/** Full tiles kept, 8 KiB each. */
const keptTiles = 1_024

/**
 * Reads hashes out of fetched tiles of the tree with this size and root, both from a checkpoint whose signature holds. Not
 * one byte of a tile is used before the whole tile is bound to the root: the partial tiles at the right edge of all
 * levels make the root together, and a full tile has its hash in a bound tile one level up (attestation.md section 4,
 * pitfall 5).
 * @throws PytiError `bad-tile` out of the reader: for a tile that is not of this tree and a hash the tree has not
 */
export function tileReader(size: number, root: Uint8Array, fetchTile: FetchTile): ReadHash {
  if (!isSize(size)) throw badTile(`${size} is not the size of a tree`)
  const full = new Map<string, Promise<Uint8Array>>()
  let edge: Promise<Map<number, Uint8Array>> | undefined

  const fetchExactly = async (level: number, index: number, width: number): Promise<Uint8Array> => {
    const tile = { level, index, width }
    const bytes = await fetchTile(pathOf(tile), tile)
    if (bytes.length !== width * hashBytes) throw badTile(`${pathOf(tile)} has the wrong length`)
    // A copy: whoever fetched it may use its buffer again.
    return Uint8Array.from(bytes)
  }

  /** The partial tiles by level, once they make the root. */
  const openEdge = async (): Promise<Map<number, Uint8Array>> => {
    const levels: number[] = []
    for (let level = 0; levelCount(size, level) > 0; level++)
      if (levelCount(size, level) % tileWidth > 0) levels.push(level)
    const tiles = await Promise.all(
      levels.map(level => {
        const count = levelCount(size, level)
        return fetchExactly(level, Math.floor(count / tileWidth), count % tileWidth)
      }),
    )
    const subtrees = tiles.map(tile => subtreeHashes(tile)).reverse()
    const made = size === 0 ? emptyRoot : foldSubtrees(subtrees.flat())
    if (!sameBytes(made, root)) throw badTile('the partial tiles do not make the root of the checkpoint')
    return new Map(levels.map((level, at) => [level, tiles[at] ?? new Uint8Array()]))
  }

  /** A tile's bytes, bound to the root. */
  const open = async (level: number, index: number): Promise<Uint8Array> => {
    edge ??= openEdge()
    const partial = await edge
    if (index === Math.floor(levelCount(size, level) / tileWidth))
      return partial.get(level) ?? new Uint8Array()
    const [bytes, expected] = await Promise.all([
      fetchExactly(level, index, tileWidth),
      hashIn(level + 1, index),
    ])
    if (!sameBytes(foldSubtrees(subtreeHashes(bytes)), expected))
      throw badTile(`${pathOf({ level, index, width: tileWidth })} does not belong to the checkpoint`)
    return bytes
  }

  const openOnce = (level: number, index: number): Promise<Uint8Array> => {
    const name = `${level}/${index}`
    const known = full.get(name)
    if (known) return known
    if (full.size >= keptTiles) full.clear()
    const opened = open(level, index)
    full.set(name, opened)
    // What could not be fetched, or was bad, may be there the next time.
    opened.catch(() => {
      full.delete(name)
      edge = undefined
    })
    return opened
  }

  const hashIn = async (level: number, index: number): Promise<Uint8Array> => {
    const tile = await openOnce(level, Math.floor(index / tileWidth))
    const at = (index % tileWidth) * hashBytes
    return tile.slice(at, at + hashBytes)
  }

  return async (level, index) => {
    const leaves = 2 ** level
    if (
      !Number.isInteger(level) ||
      !Number.isSafeInteger(index) ||
      level < 0 ||
      index < 0 ||
      (index + 1) * leaves > size
    )
      throw badTile(`the tree has no complete subtree ${index} at level ${level}`)
    const tileLevel = Math.floor(level / tileHeight)
    const width = 2 ** (level % tileHeight)
    const first = index * width
    const tile = await openOnce(tileLevel, Math.floor(first / tileWidth))
    const at = (first % tileWidth) * hashBytes
    return foldSubtrees(subtreeHashes(tile.slice(at, at + width * hashBytes)))
  }
}

/**
 * The entries of a bundle, each of which has its hash in the tree.
 * @param read of the tree, checked against its checkpoint, as from `tileReader`
 * @throws PytiError `bad-tile`
 */
export async function openBundle(
  { index, width }: Tile,
  bytes: Uint8Array,
  read: ReadHash,
): Promise<Uint8Array[]> {
  const entries = decodeEntries(bytes, width)
  const hashes = await Promise.all(entries.map((_, at) => read(0, index * tileWidth + at)))
  if (!sameBytes(concatBytes(...entries.map(leafHash)), concatBytes(...hashes)))
    throw badTile(`the entries of bundle ${index} are not those of the tree`)
  return entries
}

/** Roots of the complete subtrees over the hashes of one tile, from left to right: just one when there are 2^n. */
function subtreeHashes(tile: Uint8Array): Uint8Array[] {
  return subtreesOf([0, tile.length / hashBytes]).map(([level, index]) => rootOf(tile, level, index))
}

function rootOf(tile: Uint8Array, level: number, index: number): Uint8Array {
  if (level === 0) return tile.slice(index * hashBytes, (index + 1) * hashBytes)
  return foldSubtrees([rootOf(tile, level - 1, 2 * index), rootOf(tile, level - 1, 2 * index + 1)])
}
