import { PytiError } from '../../errors.ts'
import { publicKeyFromPeerId } from '../../peer-id.ts'
import { type Checkpoint, type Cosignature, openCheckpoint, parseCheckpoint } from '../log/checkpoint.ts'
import { type Entry, parseEntry } from '../log/entry.ts'
import type { ReadHash } from '../log/merkle.ts'
import { decodeNote, formatVkey, parseNote, parseVkey, signatureLine, type Vkey } from '../log/note.ts'
import { openBundle, tileReader } from '../log/tile-reader.ts'
import { decodeEntries, encodeEntries, entriesPath, parseTilePath, pathOf, tileWidth } from '../log/tiles.ts'
import type { LogSource } from './source.ts'

/** 256 entries of 2,000 bytes, which is more than one can have. */
const tileBytes = 256 * 2_002

/** A log whose checkpoint is signed by its key. */
export interface OpenLog {
  readonly vkey: Vkey
  /** The checkpoint as it came, with all its signatures. */
  readonly note: string
  readonly checkpoint: Checkpoint
  readonly witnesses: readonly Cosignature[]
  /** Hashes of the tree, each bound to the root. */
  readonly read: ReadHash
}

/**
 * Opens a log by its checkpoint.
 * @param key C2SP vkey of the log; when left out, that which its name holds
 * @throws PytiError `no-log` | `bad-note` | `bad-checkpoint`
 */
export async function openLog(
  source: LogSource,
  { key, witnesses = [] }: { key?: string | undefined; witnesses?: readonly string[] | undefined },
): Promise<OpenLog> {
  const bytes = await source.fetch('checkpoint')
  if (bytes === undefined)
    throw new PytiError('no-log', 'there is no log: it has no checkpoint', {
      hint: 'give the folder or URL that holds checkpoint, tile/ and document/',
    })
  const note = decodeNote(bytes)
  const vkey = key === undefined ? ownKey(note) : parseVkey(key)
  const { checkpoint, witnesses: seenBy } = await openCheckpoint(note, vkey, witnesses.map(parseVkey))
  const read = tileReader(checkpoint.size, checkpoint.root, path => fetchTile(source, path))
  return { vkey, note, checkpoint, witnesses: seenBy, read }
}

/**
 * Leaves in order, all of them or those of a range; the bundles are bound to the root before a byte of them is read.
 * @throws PytiError `bad-tile` | `bad-entry`
 */
export async function* leavesOf(
  source: LogSource,
  { checkpoint: { size }, read }: OpenLog,
  [start, end]: readonly [start: number, end: number] = [0, size],
): AsyncGenerator<{ index: number; entry: Entry }> {
  for (let index = Math.floor(start / tileWidth); index * tileWidth < end; index++) {
    const width = Math.min(tileWidth, size - index * tileWidth)
    const bytes = await fetchTile(source, entriesPath(index, width))
    const entries = await openBundle({ level: 'entries', index, width }, bytes, read)
    for (const [offset, entry] of entries.entries()) {
      const at = index * tileWidth + offset
      if (at >= start && at < end) yield { index: at, entry: parseEntry(entry) }
    }
  }
}

/** One leaf. @throws PytiError `bad-tile` | `bad-entry` */
export async function entryAt(
  source: LogSource,
  { checkpoint: { size }, read }: OpenLog,
  at: number,
): Promise<Entry> {
  if (at >= size) throw new PytiError('bad-tile', `the log has no leaf ${at}`)
  const index = Math.floor(at / tileWidth)
  const width = Math.min(tileWidth, size - index * tileWidth)
  const bytes = await fetchTile(source, entriesPath(index, width))
  const entries = await openBundle({ level: 'entries', index, width }, bytes, read)
  return parseEntry(entries[at % tileWidth] ?? new Uint8Array())
}

/** A checkpoint with nothing but the signatures of these keys, so that every byte of it means something. */
export function bareNote(note: string, keys: readonly Vkey[]): string {
  const { text, signatures } = parseNote(note)
  const kept = keys.flatMap(key => {
    const found = signatures.find(one => one.name === key.name && one.id === key.id)
    return found ? [signatureLine(found)] : []
  })
  return `${text}\n${kept.join('')}`
}

/** A partial tile goes away once it is full: then its beginning is in the full one. */
async function fetchTile(source: LogSource, path: string): Promise<Uint8Array> {
  const tile = parseTilePath(path)
  const whole = pathOf({ ...tile, width: tileWidth })
  const part = await source.fetch(path)
  const bytes = part ?? (whole === path ? undefined : await source.fetch(whole))
  if (bytes === undefined) throw new PytiError('bad-tile', `the log is not whole: ${path} is missing`)
  if (bytes.length > tileBytes) throw new PytiError('bad-tile', `${path} is larger than a tile may be`)
  if (part) return part
  if (tile.level === 'entries') return encodeEntries(decodeEntries(bytes, tileWidth).slice(0, tile.width))
  return bytes.slice(0, tile.width * 32)
}

/** Names of logs of this software end with the peer id form of their key. */
function ownKey(note: string): Vkey {
  const { origin } = parseCheckpoint(parseNote(note).text)
  try {
    return parseVkey(formatVkey(origin, 1, publicKeyFromPeerId(origin.slice(origin.lastIndexOf('/') + 1))))
  } catch (cause) {
    throw new PytiError('no-log-key', `the name of the log, ${origin}, does not hold its key`, {
      hint: 'give its key with --key, as the coordinator prints it',
      cause,
    })
  }
}
