import { PytiError } from '../../errors.ts'
import { concatBytes } from '../../wire/bytes.ts'
import type { ReadHash } from './merkle-hash.ts'
import { decimal, isSize } from './text.ts'

/** Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles). */
export const tileWidth = 256

/** A tile of hashes, by its level, or a bundle of entries. `width` is 256 unless it is partial. */
export interface Tile {
  readonly level: number | 'entries'
  readonly index: number
  readonly width: number
}

/** `tile/<level>/<index>[.p/<width>]`, the index in groups of three digits: 1234067 is `x001/x234/067`. */
export function tilePath(level: number, index: number, width: number = tileWidth): string {
  return pathOf({ level, index, width })
}

/** `tile/entries/<index>[.p/<width>]`. */
export function entriesPath(index: number, width: number = tileWidth): string {
  return pathOf({ level: 'entries', index, width })
}

/** @throws PytiError `bad-tile` for a tile that cannot be */
export function pathOf({ level, index, width }: Tile): string {
  if (level !== 'entries' && !(Number.isInteger(level) && level >= 0 && level <= 63))
    throw badTile('its level is out of range')
  if (!isSize(index)) throw badTile('its index is out of range')
  if (!(Number.isInteger(width) && width >= 1 && width <= tileWidth))
    throw badTile('its width is out of range')
  const digits = String(index)
  const groups = digits.padStart(3 * Math.ceil(digits.length / 3), '0').match(/.{3}/g) ?? []
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${path}${width === tileWidth ? '' : `.p/${width}`}`
}

/**
 * Reads the path of a tile or bundle, in its one form. What comes back is safe to use as a file name again.
 * @throws PytiError `bad-tile`
 */
export function parseTilePath(path: string): Tile {
  const [, level, index, width] =
    /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path) ?? []
  const tile = {
    level: level === 'entries' ? level : (decimal(level) ?? -1),
    index: Number(index?.replace(/[x/]/g, '')),
    width: width === undefined ? tileWidth : (decimal(width) ?? 0),
  } as const
  if (pathOf(tile) !== path) throw badTile('its path has another form')
  return tile
}

/**
 * The tiles of hashes that a tree of `newSize` leaves has and one of `oldSize` has not. From 0: all of them.
 * @throws PytiError `bad-tile` for sizes out of order
 */
export function tilesToWrite(oldSize: number, newSize: number): Tile[] {
  const tiles = newAtLevel(0, oldSize, newSize)
  for (let level = 1; newSize >= tileWidth ** level; level++)
    tiles.push(...newAtLevel(level, levelCount(oldSize, level), levelCount(newSize, level)))
  return tiles
}

/** The same for bundles of entries. */
export function bundlesToWrite(oldSize: number, newSize: number): Tile[] {
  return newAtLevel('entries', oldSize, newSize)
}

/** Hashes that a tree of `size` leaves has at a level of tiles. */
export function levelCount(size: number, level: number): number {
  return Math.floor(size / tileWidth ** level)
}

function newAtLevel(level: Tile['level'], oldCount: number, newCount: number): Tile[] {
  if (!isSize(oldCount) || !isSize(newCount) || oldCount > newCount)
    throw badTile(`there is no way from ${oldCount} to ${newCount} hashes`)
  const tiles: Tile[] = []
  if (oldCount === newCount) return tiles
  for (let index = Math.floor(oldCount / tileWidth); index * tileWidth < newCount; index++)
    tiles.push({ level, index, width: Math.min(tileWidth, newCount - index * tileWidth) })
  return tiles
}

/** The bytes of a tile of hashes. `read` must know its tree that far. */
export async function makeTile(
  level: number,
  index: number,
  width: number,
  read: ReadHash,
): Promise<Uint8Array> {
  const hashes = Array.from({ length: width }, (_, at) => read(8 * level, index * tileWidth + at))
  return concatBytes(...(await Promise.all(hashes)))
}

/**
 * A bundle: every entry after its length in two bytes.
 * @throws PytiError `bad-tile` for an entry above 65,535 bytes
 */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    ...entries.flatMap(entry => {
      if (entry.length > 0xffff) throw badTile('an entry is longer than 65,535 bytes')
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]
    }),
  )
}

/**
 * The entries of a bundle, which must be `width` and fill it. They prove nothing before their hashes are compared with those
 * of the tree (`openBundle`).
 * @throws PytiError `bad-tile`
 */
export function decodeEntries(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = []
  let at = 0
  while (entries.length < width) {
    const [high, low] = bytes.subarray(at, at + 2)
    if (high === undefined || low === undefined) throw badTile('the bundle of entries is too short')
    const end = at + 2 + high * 256 + low
    if (end > bytes.length) throw badTile('the bundle of entries is too short')
    entries.push(bytes.slice(at + 2, end))
    at = end
  }
  if (at !== bytes.length) throw badTile('the bundle of entries goes on after its last one')
  return entries
}

export function badTile(why: string): PytiError {
  return new PytiError('bad-tile', `not an acceptable tile: ${why}`)
}
