import { messageOf, PytiError } from '../errors.ts'
import { toHex } from '../wire/bytes.ts'
import type { Bundle } from './bundle.ts'
import { type CheckList, demand, Unknown } from './checks.ts'
import { attestationId } from './dsse.ts'
import { type Checkpoint, type Cosignature, openCheckpoint, parseCheckpoint } from './log/checkpoint.ts'
import { type Entry, formatEntry } from './log/entry.ts'
import { leafHash, verifyInclusion } from './log/merkle.ts'
import { parseNote, parseVkey, type Vkey } from './log/note.ts'
import { type ProofFile, parseProof } from './log/proof-file.ts'
import type { ReportStatement } from './report-statement.ts'
import type { RootState } from './root-state.ts'
import type { VerifyOptions } from './verify.ts'

/** Checks that the log the report names holds the report and every statement it accounts for, in that order. */
export async function checkLog(
  list: CheckList,
  bundle: Bundle,
  { report, reportKey }: { report: ReportStatement; reportKey: string },
  options: VerifyOptions,
): Promise<void> {
  const { root } = options
  const { key } = report.predicate.rawLog
  const found = await list.get(
    'log-inclusion',
    () => checkInclusion(bundle, report, options),
    ({ checkpoint }) => `the log has all of it below leaf ${checkpoint.size}`,
  )
  await list.check('log-key', () => checkLogKey(key, root?.logKeys ?? options.logKey))
  if (!found) return
  await list.check('root', () =>
    root
      ? checkRoot(root, found, { key: reportKey, log: parseVkey(key).name })
      : new Unknown('no root document was given'),
  )
  await list.check('witnesses', () => checkWitnesses(found.witnesses, options))
  await list.check('log-consistency', () => checkSeen(found.checkpoint, options.seenCheckpoint))
}

interface Head {
  checkpoint: Checkpoint
  witnesses: Cosignature[]
  /** Leaf of the report. */
  index: number
}

async function checkInclusion(
  { report: envelope, proofs }: Bundle,
  { predicate }: ReportStatement,
  { root, witnesses }: VerifyOptions,
): Promise<Head> {
  const { rawLog, inputAttestations, excluded, job, resourceUri } = predicate
  const files = proofs.map(parseProof)
  const notes = [...new Set(files.map(file => file.checkpoint))]
  demand(notes.length > 0, 'the bundle holds no proof that the log has the report')
  const [note = ''] = notes
  demand(notes.length === 1, 'the proofs are about different checkpoints')
  const head = await openCheckpoint(
    note,
    root ? root.logKeyFor(note) : parseVkey(rawLog.key),
    (root?.witnesses ?? witnesses ?? []).map(parseVkey),
  )
  const about = { subject: job.definition.subject.sha256, purl: resourceUri }
  const raw = [
    ...inputAttestations.map(one => [one.digest.sha256, one.annotations.logIndex] as const),
    ...excluded.map(one => [one.id, one.logIndex] as const),
  ]
  for (const [id, index] of raw) {
    demand(
      rawLog.fromIndex < index && index < rawLog.toIndex,
      `leaf ${index} is not where the report says the raw data is`,
    )
    demandIncluded(
      files.find(file => file.index === index),
      { kind: 'raw', id, ...about },
      head.checkpoint,
    )
  }
  const rest = files.filter(file => !raw.some(([, index]) => index === file.index))
  const [ofReport] = rest
  demand(rest.length === 1 && ofReport !== undefined, 'the proof that the log has the report is missing')
  demand(ofReport.index >= rawLog.toIndex, 'the report was logged before the raw data it follows from')
  demandIncluded(ofReport, { kind: 'report', id: attestationId(envelope), ...about }, head.checkpoint)
  return { ...head, index: ofReport.index }
}

function checkRoot(
  root: RootState,
  { checkpoint, index }: Head,
  report: { key: string; log: string },
): string {
  demand(report.log === checkpoint.origin, `the report is for another log than ${checkpoint.origin}`)
  return root.judge({ ...report, index })
}

function demandIncluded(file: ProofFile | undefined, entry: Entry, { size, root }: Checkpoint): void {
  demand(file !== undefined, `the proof that the log has ${entry.id} is missing`)
  const { index, proof } = file
  try {
    verifyInclusion({ index, size, root, proof, leafHash: leafHash(formatEntry(entry)) })
  } catch (cause) {
    throw new PytiError(
      'check-failed',
      `leaf ${index} of the log is not ${entry.kind} ${entry.id}: ${messageOf(cause)}`,
      { cause },
    )
  }
}

function checkLogKey(key: string, trusted: string | readonly string[] | undefined): string | Unknown {
  if (trusted === undefined) return new Unknown(`no key of a log was given; the report names ${key}`)
  demand(
    [trusted].flat().some(one => sameKey(parseVkey(key), parseVkey(one))),
    `the report is in the log ${key}, not in the trusted one`,
  )
  return `the log is the trusted one, ${key}`
}

function sameKey(a: Vkey, b: Vkey): boolean {
  return a.name === b.name && toHex(a.publicKey) === toHex(b.publicKey)
}

function checkWitnesses(seenBy: readonly Cosignature[], options: VerifyOptions): string | Unknown {
  const { root, witnesses, minimumWitnesses } = options
  const known = (root?.witnesses ?? witnesses ?? []).length
  const wanted = root?.witnessThreshold ?? minimumWitnesses ?? known
  if (known === 0) return new Unknown('no witness was named, so the log may show others another history')
  demand(
    seenBy.length >= wanted,
    `${seenBy.length} of the ${known} witnesses signed the checkpoint, ${wanted} are wanted`,
  )
  return `seen by ${seenBy.map(({ vkey }) => vkey.name).join(', ')}`
}

function checkSeen({ origin, size, root }: Checkpoint, seen: string | undefined): string | Unknown {
  if (seen === undefined) return new Unknown('no checkpoint of this log was seen here before')
  const before = parseCheckpoint(parseNote(seen).text)
  if (before.origin !== origin) return new Unknown(`the checkpoint seen before is that of ${before.origin}`)
  if (before.size !== size)
    return new Unknown(
      `seen before with ${before.size} leaves, here with ${size}: \`pyti audit\` tells whether one continues the other`,
    )
  demand(
    toHex(before.root) === toHex(root),
    `the log showed another tree of ${size} leaves before: it has forked`,
  )
  return `the same ${size} leaves as seen before`
}
