import { z } from 'zod'
import { messageOf, PytiError } from '../errors.ts'
import { publicKeyFromPeerId } from '../peer-id.ts'
import { fit } from '../report/layout.ts'
import { toHex } from '../wire/bytes.ts'
import { PeerIdText, Rfc3339 } from '../wire/job.ts'
import { isPrimeOrderPoint } from './curve.ts'
import { parseVkey, type Vkey } from './log/note.ts'

const Index = z.int().min(0)
const VkeyText = z.string().max(400)
/** Leaves from `fromIndex` up to but not `toIndex`: the log's own order, so that no clock decides. */
const range = { fromIndex: Index, toIndex: Index.optional() }
const few = 20
const many = 200

/** Which key may do what, signed by the keys of its role `root` and by those of the version before it (attestation.md 2.5). */
export const RootDocument = z.strictObject({
  schema: z.literal('pyti.root/1'),
  /** From 1, without gaps. */
  version: z.int().min(1),
  expires: Rfc3339,
  roles: z.strictObject({
    root: z.strictObject({ keys: z.array(PeerIdText).min(1).max(few), threshold: z.int().min(1) }),
    /** Reports that are leaves of the log with this name, in this range. */
    report: z.strictObject({
      keys: z
        .array(z.strictObject({ key: PeerIdText, log: z.string().max(255), ...range }))
        .min(1)
        .max(many),
    }),
    /** Checkpoints whose last leaf is in this range; a vkey names its log. */
    log: z.strictObject({
      keys: z
        .array(z.strictObject({ key: VkeyText, ...range }))
        .min(1)
        .max(many),
    }),
    witness: z.strictObject({ keys: z.array(VkeyText).max(few), threshold: z.int().min(0) }),
  }),
})
export type RootDocument = z.infer<typeof RootDocument>

export interface IndexRange {
  readonly fromIndex: number
  readonly toIndex?: number | undefined
}

export function holds({ fromIndex, toIndex = Number.POSITIVE_INFINITY }: IndexRange, index: number): boolean {
  return fromIndex <= index && index < toIndex
}

/**
 * What the form alone does not say: every key is a sound one and has one role, thresholds can be met, and there is one key for
 * every leaf of a log.
 * @throws PytiError `bad-root`
 */
export function demandSound({ roles, expires }: RootDocument): void {
  const { root, report, log, witness } = roles
  if (!Number.isFinite(Date.parse(expires))) throw badRoot(`${expires} is no time`)
  const logs = log.keys.map(({ key, ...validity }) => ({ vkey: vkeyOf(key, 1), ...validity }))
  const witnesses = witness.keys.map(key => vkeyOf(key, 4))
  demandOneRole([
    ...root.keys.map(keyOf),
    ...[...new Set(report.keys.map(({ key }) => key))].map(keyOf),
    ...logs.map(({ vkey }) => vkey.publicKey),
    ...witnesses.map(vkey => vkey.publicKey),
  ])
  if (root.threshold > root.keys.length) throw badRoot('it has fewer root keys than must sign')
  if (witness.threshold > witness.keys.length) throw badRoot('it has fewer witnesses than must sign')
  if (witness.threshold === 0 && witness.keys.length > 0)
    throw badRoot('it has witnesses, and none of them must sign')
  const ids = [...logs.map(({ vkey }) => vkey), ...witnesses].map(({ name, id }) => `${name}+${id}`)
  if (new Set(ids).size < ids.length) throw badRoot('two of its keys have one name and one id')
  demandRanges(logs.map(({ vkey, ...validity }) => ({ of: `the log ${vkey.name}`, ...validity })))
  demandRanges(
    report.keys.map(({ key, log: name, ...validity }) => ({ of: `${key} in the log ${name}`, ...validity })),
  )
  for (const { log: name } of report.keys)
    if (!logs.some(({ vkey }) => vkey.name === name)) throw badRoot(`it has no key of the log ${name}`)
}

/** Bytes are compared, never spellings (attestation.md section 4, pitfall 2). */
function demandOneRole(keys: readonly Uint8Array[]): void {
  if (new Set(keys.map(toHex)).size < keys.length) throw badRoot('it gives one key two places')
}

function demandRanges(ranges: readonly (IndexRange & { of: string })[]): void {
  const last = new Map<string, number>()
  for (const { of, fromIndex, toIndex = Number.POSITIVE_INFINITY } of ranges.toSorted(
    (a, b) => a.fromIndex - b.fromIndex,
  )) {
    if (toIndex <= fromIndex) throw badRoot(`a range of ${of} holds no leaf`)
    if (fromIndex < (last.get(of) ?? 0)) throw badRoot(`two ranges of ${of} share a leaf`)
    last.set(of, toIndex)
  }
}

function keyOf(peerId: string): Uint8Array {
  const key = publicKeyFromPeerId(peerId)
  if (!isPrimeOrderPoint(key)) throw badRoot(`the key ${peerId} is not canonical or not of prime order`)
  return key
}

function vkeyOf(text: string, type: Vkey['type']): Vkey {
  let vkey: Vkey
  try {
    vkey = parseVkey(text)
  } catch (cause) {
    throw badRoot(messageOf(cause), cause)
  }
  if (vkey.type !== type)
    throw badRoot(
      type === 1 ? 'a key for a log is that of a witness' : 'a key for a witness is that of a log',
    )
  return vkey
}

export function badRoot(why: string, cause?: unknown): PytiError {
  return new PytiError('bad-root', `not an acceptable root: ${fit(why, 500)}`, { cause })
}
