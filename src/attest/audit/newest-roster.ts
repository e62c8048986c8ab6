import { z } from 'zod'
import { toBase64, utf8 } from '../../wire/bytes.ts'
import { documentId, RosterDocument } from '../documents.ts'
import { type Checkpoint, parseCheckpoint } from '../log/checkpoint.ts'
import { formatEntry, parseEntry } from '../log/entry.ts'
import { leafHash, nodeHash } from '../log/merkle.ts'
import { subtreesOf } from '../log/merkle-hash.ts'
import { parseNote } from '../log/note.ts'
import { base64Hash, sameBytes } from '../log/text.ts'
import { leavesOf, type OpenLog } from './open-log.ts'
import type { LogSource } from './source.ts'

const leavesMax = 200_000

/** A roster, and the proof that no newer one is under a beacon: every leaf from it up to the end of the beacon's tree. */
export const NewestRoster = z.strictObject({
  document: RosterDocument,
  /** Hashes of the complete subtrees that the leaves before the roster make up, the first leaves first. */
  subtrees: z.array(z.string().length(44)).max(53),
  /** The first one is the roster. */
  leaves: z.array(z.string().max(2_000)).min(1).max(leavesMax),
})
export type NewestRoster = z.infer<typeof NewestRoster>

/** @param index of its leaf @param size of the beacon's tree @returns undefined when there are too many leaves between them */
export async function proveNewest(
  source: LogSource,
  log: OpenLog,
  { index, document }: { index: number; document: RosterDocument },
  size: number,
): Promise<NewestRoster | undefined> {
  if (size - index > leavesMax) return undefined
  const leaves: string[] = []
  for await (const { entry } of leavesOf(source, log, [index, size]))
    leaves.push(new TextDecoder().decode(formatEntry(entry)))
  const subtrees = await Promise.all(subtreesOf([0, index]).map(([level, at]) => log.read(level, at)))
  return { document, subtrees: subtrees.map(toBase64), leaves }
}

/**
 * The newest roster under the checkpoint of a beacon.
 * @param note checkpoint of the beacon
 * @returns undefined when the proof does not hold
 */
export function openNewest(
  { document, subtrees, leaves }: NewestRoster,
  note: string,
): { index: number; document: RosterDocument } | undefined {
  const { size, root } = sizeAndRoot(note)
  const index = size - leaves.length
  const before = subtrees.map(base64Hash)
  const bytes = leaves.map(utf8)
  if (index < 0 || !before.every(hash => hash !== undefined)) return undefined
  const whole = rootFrom(before, index, bytes.map(leafHash))
  if (whole === undefined || !sameBytes(whole, root)) return undefined
  const [roster, ...later] = bytes.map(parseEntry)
  const isNewest = roster?.kind === 'roster' && later.every(({ kind }) => kind !== 'roster')
  return isNewest && roster.id === documentId(document) ? { index, document } : undefined
}

/** Root of a tree by the complete subtrees of its first `count` leaves and the hashes of all others. */
function rootFrom(
  subtrees: readonly Uint8Array[],
  count: number,
  leafHashes: readonly Uint8Array[],
): Uint8Array | undefined {
  const levels = subtreesOf([0, count]).map(([level]) => level)
  if (levels.length !== subtrees.length) return undefined
  const ends = subtrees.map((hash, at) => ({ hash, level: levels[at] ?? 0 }))
  for (const leaf of leafHashes) {
    let end = { hash: leaf, level: 0 }
    for (let last = ends.at(-1); last?.level === end.level; last = ends.at(-1)) {
      ends.pop()
      end = { hash: nodeHash(last.hash, end.hash), level: end.level + 1 }
    }
    ends.push(end)
  }
  return ends.map(({ hash }) => hash).reduceRight((right, left) => nodeHash(left, right))
}

function sizeAndRoot(note: string): Pick<Checkpoint, 'size' | 'root'> {
  return parseCheckpoint(parseNote(note).text)
}
