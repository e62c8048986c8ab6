import { concatBytes, toBase64 } from '../../wire/bytes.ts'
import type { Envelope } from '../../wire/envelope.ts'
import { decodeBundle, encodeBundle } from '../bundle.ts'
import { type PolicyDocument, witnessesOf } from '../documents.ts'
import { type Entry, formatEntry } from '../log/entry.ts'
import { inclusionProof } from '../log/merkle.ts'
import { formatVkey } from '../log/note.ts'
import type { FaultOf, ProvenDocument, ProvenEnvelope, ProvenLeaf } from './fault-form.ts'
import { bareNote, type OpenLog } from './open-log.ts'

type Drawn = NonNullable<ProvenDocument['document']>

/** What every fault of a log begins with. */
export function faultBase(log: OpenLog) {
  const { name, publicKey } = log.vkey
  return {
    schema: 'pyti.fault/1',
    log: formatVkey(name, 1, publicKey),
    checkpoint: bareNote(log.note, [log.vkey]),
  } as const
}

/**
 * The fault of a promise that a tree does not keep: `log` is opened by a checkpoint that enough witnesses of the policy signed
 * after the deadline. `policy` is the leaf of the last policy.
 * @param leaves hashes of all leaves, in order
 */
export async function brokenReceipt(
  log: OpenLog,
  receipt: string,
  policy: { index: number; entry: Entry; document: PolicyDocument },
  leaves: readonly Uint8Array[],
): Promise<FaultOf<'receipt'>> {
  const { keys } = witnessesOf(policy.document)
  return {
    ...faultBase(log),
    kind: 'receipt',
    receipt: bareNote(receipt, [log.vkey]),
    checkpoint: bareNote(log.note, [log.vkey, ...keys]),
    policy: await proveDocument(log, policy, policy.document),
    leaves: toBase64(concatBytes(...leaves)),
  }
}

/** The fault of a report that does not hold, out of its bundle. @throws PytiError `bad-bundle` */
export function wrongEvaluation(bundle: Uint8Array): FaultOf<'wrong-evaluation'> {
  const { report, rawData, blobs } = decodeBundle(bundle)
  const bare = encodeBundle({ report, rawData, blobs: [...blobs.values()], proofs: [] })
  return { schema: 'pyti.fault/1', kind: 'wrong-evaluation', bundle: new TextDecoder().decode(bare) }
}

export async function proveLeaf(log: OpenLog, index: number, entry: Entry): Promise<ProvenLeaf> {
  const proof = await inclusionProof(index, log.checkpoint.size, log.read)
  return { leaf: new TextDecoder().decode(formatEntry(entry)), index, proof: proof.map(toBase64) }
}

export async function proveDocument(
  log: OpenLog,
  { index, entry }: { index: number; entry: Entry },
  document: Drawn | undefined,
): Promise<ProvenDocument> {
  return { ...(await proveLeaf(log, index, entry)), ...(document && { document }) }
}

export async function proveEnvelope(
  log: OpenLog,
  { index, entry }: { index: number; entry: Entry },
  envelope: Envelope,
): Promise<ProvenEnvelope> {
  return { ...(await proveLeaf(log, index, entry)), envelope }
}

/** The fault of a report that leaves raw data out; a volunteer makes it from its own envelope and the log. */
export async function droppedDissent(
  log: OpenLog,
  raw: { index: number; entry: Entry; envelope: Envelope },
  report: { index: number; entry: Entry; envelope: Envelope },
): Promise<FaultOf<'dropped-dissent'>> {
  return {
    ...faultBase(log),
    kind: 'dropped-dissent',
    raw: await proveEnvelope(log, raw, raw.envelope),
    report: await proveEnvelope(log, report, report.envelope),
  }
}
