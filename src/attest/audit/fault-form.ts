import { z } from 'zod'
import { PytiError } from '../../errors.ts'
import { utf8 } from '../../wire/bytes.ts'
import { canonicalJson } from '../../wire/canonical.ts'
import { Envelope } from '../../wire/envelope.ts'
import {
  BeaconDocument,
  CloseDocument,
  documentId,
  PolicyDocument,
  RosterDocument,
  TaskDocument,
} from '../documents.ts'
import { type Checkpoint, noWitnesses, openCheckpoint, type Witnesses } from '../log/checkpoint.ts'
import { type Entry, type EntryKind, parseEntry } from '../log/entry.ts'
import { leafHash, verifyInclusion } from '../log/merkle.ts'
import { parseVkey, type Vkey } from '../log/note.ts'
import { base64Hash, hashLines } from '../log/text.ts'
import { NewestRoster } from './newest-roster.ts'
import { bareNote } from './open-log.ts'

const Index = z.int().min(0)
const Hash = z.string().length(44)
const Hashes = z.array(Hash).max(63)
const Note = z.string().max(20_000)
const Key = z.string().max(400)

/** A leaf and the proof that the log has it, under the checkpoint of the fault. */
const leaf = { leaf: z.string().max(2_000), index: Index, proof: Hashes }
export const ProvenLeaf = z.strictObject(leaf)
export type ProvenLeaf = z.infer<typeof ProvenLeaf>
const ProvenEnvelope = z.strictObject({ ...leaf, envelope: Envelope })
export type ProvenEnvelope = z.infer<typeof ProvenEnvelope>
const Drawn = z.discriminatedUnion('schema', [
  TaskDocument,
  RosterDocument,
  BeaconDocument,
  CloseDocument,
  PolicyDocument,
])
const ProvenDocument = z.strictObject({ ...leaf, document: Drawn.optional() })
export type ProvenDocument = z.infer<typeof ProvenDocument>

const schema = z.literal('pyti.fault/1')
const log = { schema, log: Key }

/** Two heads of one log that cannot both be true. */
export const Fork = z.strictObject({
  ...log,
  kind: z.literal('fork'),
  /** Signed by the log alone; the smaller one first. */
  heads: z.tuple([Note, Note]),
  /** Of different sizes: the root that the larger tree gives its first leaves, and the proof of that. */
  prefix: z.strictObject({ root: Hash, proof: Hashes }).optional(),
  /** Or two leaves at one index. */
  leaves: z
    .strictObject({
      index: Index,
      hashes: z.tuple([Hash, Hash]),
      proofs: z.tuple([Hashes, Hashes]),
    })
    .optional(),
})
/** A report that does not account for raw data on its job that was logged before it. */
export const DroppedDissent = z.strictObject({
  ...log,
  kind: z.literal('dropped-dissent'),
  checkpoint: Note,
  raw: ProvenEnvelope,
  report: ProvenEnvelope,
})
/** Seats, seed or hidden rules of a job that do not follow from what was logged before. */
export const SteeredDraw = z.strictObject({
  ...log,
  kind: z.literal('steered-draw'),
  checkpoint: Note,
  close: ProvenDocument,
  task: ProvenDocument,
  roster: ProvenDocument.optional(),
  beacon: ProvenDocument.optional(),
  /** An earlier beacon or later roster that should have been used, or a roster after the end that still has who was skipped. */
  other: ProvenDocument.optional(),
  /** Where the roster of the draw is not under an earlier beacon: the one that is. */
  newest: NewestRoster.optional(),
})
/** A promise of the log that a tree, cosigned after it was due, does not keep. */
export const BrokenReceipt = z.strictObject({
  ...log,
  kind: z.literal('receipt'),
  receipt: Note,
  /** Signed by the log and by as many witnesses as the policy asks for. */
  checkpoint: Note,
  /** What says who the witnesses are. */
  policy: ProvenDocument,
  /** Base64 of all leaf hashes of the tree. */
  leaves: z.string().max(6_000_000),
})
/** A report whose agreement or evaluation does not follow from the raw data it names. */
export const WrongEvaluation = z.strictObject({
  schema,
  kind: z.literal('wrong-evaluation'),
  /** Report bundle (JSON Lines) without proofs of the log. */
  bundle: z.string().max(64_000_000),
})
/** Two reports of one key on one file with one sequence number. */
export const DoubleSequence = z.strictObject({
  schema,
  kind: z.literal('double-sequence'),
  /** By attestation id. */
  reports: z.tuple([Envelope, Envelope]),
})

/** A fault that can be proved by itself, offline, to whoever knows the key it accuses. */
export const Fault = z.discriminatedUnion('kind', [
  Fork,
  DroppedDissent,
  SteeredDraw,
  BrokenReceipt,
  WrongEvaluation,
  DoubleSequence,
])
export type Fault = z.infer<typeof Fault>
export type FaultOf<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>

/** Whom a fault is proved against, and what it is in a sentence. */
export interface Confirmed {
  readonly kind: Fault['kind']
  /** C2SP vkey of the log, or peer id form of the report key. */
  readonly accused: string
  readonly detail: string
}

/** @throws PytiError `not-a-fault` unless the condition holds */
export function prove(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new PytiError('not-a-fault', `this proves nothing: ${otherwise}`)
}

/** A checkpoint with the signatures of the log and of enough of these witnesses, and no other byte. */
export async function openHead(
  note: string,
  vkey: Vkey,
  { keys, threshold }: Witnesses = noWitnesses,
): Promise<Checkpoint> {
  const { checkpoint, witnesses: seenBy } = await openCheckpoint(note, vkey, keys)
  prove(seenBy.length >= threshold, 'too few witnesses signed the checkpoint')
  prove(note === bareNote(note, [vkey, ...keys]), 'the checkpoint holds more than the signatures it needs')
  return checkpoint
}

export function openKey(text: string): Vkey {
  const vkey = parseVkey(text)
  prove(vkey.type === 1, 'the key is not one of a log')
  return vkey
}

/** The entry of a leaf that the log has. */
export function openLeaf({ leaf: text, index, proof }: ProvenLeaf, { size, root }: Checkpoint): Entry {
  const bytes = utf8(text)
  verifyInclusion({ index, size, root, leafHash: leafHash(bytes), proof: openHashes(proof) })
  return parseEntry(bytes)
}

/** The same of a leaf that stands for a document; `document` is undefined when the leaf is of another kind. */
export function openDocument<Schema extends z.infer<typeof Drawn>['schema']>(
  proven: ProvenDocument,
  head: Checkpoint,
  wanted: Schema,
): {
  index: number
  kind: EntryKind
  document: Extract<z.infer<typeof Drawn>, { schema: Schema }> | undefined
} {
  const { kind, id } = openLeaf(proven, head)
  const { document, index } = proven
  if (kind !== kindOf(wanted)) {
    prove(document === undefined, 'a leaf of another kind has no document')
    return { index, kind, document: undefined }
  }
  prove(document !== undefined && isOf(document, wanted), `the document of leaf ${index} is missing`)
  prove(documentId(document) === id, `the document is not that of leaf ${index}`)
  return { index, kind, document }
}

function isOf<Schema extends string>(
  document: z.infer<typeof Drawn>,
  wanted: Schema,
): document is Extract<z.infer<typeof Drawn>, { schema: Schema }> {
  return document.schema === wanted
}

/** `pyti.roster/1` is what leaves of kind `roster` stand for. */
function kindOf(documentSchema: string): string {
  return documentSchema.slice('pyti.'.length, -'/1'.length)
}

export function openHash(text: string): Uint8Array {
  const hash = base64Hash(text)
  prove(hash !== undefined, 'it holds something that is not base64 of 32 bytes')
  return hash
}

export function openHashes(texts: readonly string[]): Uint8Array[] {
  const hashes = hashLines(texts)
  prove(hashes !== undefined, 'it holds something that is not base64 of 32 bytes')
  return hashes
}

export function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b)
}
