import { toBase64 } from '../../wire/bytes.ts'
import type { Envelope } from '../../wire/envelope.ts'
import { type Entry, formatEntry } from '../log/entry.ts'
import { inclusionProof } from '../log/merkle.ts'
import type { FaultOf, ProvenDocument, ProvenEnvelope, ProvenLeaf } from './fault-form.ts'
import { bareNote, type OpenLog } from './open-log.ts'
import { formatVkey } from '../log/note.ts'

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

