import { messageOf } from '../../errors.ts'
import { verificationResultOf } from '../../report/evaluate.ts'
import { canonicalJson } from '../../wire/canonical.ts'
import type { Envelope } from '../../wire/envelope.ts'
import type { CloseDocument } from '../documents.ts'
import { attestationId } from '../dsse.ts'
import type { Fault } from '../faults.ts'
import { formatVkey } from '../log/note.ts'
import { purlOf, type ReportStatement } from '../report-statement.ts'
import { type AuditState, envelopeOf, type Leaf, type SeenReport } from './audit-state.ts'
import { openReport } from './fault-dissent.ts'
import { fetchEnvelope } from './source.ts'

/** A report by itself: signed by the one report key, about the file of its leaf, next in the sequence of that file. */
export async function auditReport(state: AuditState, leaf: Leaf): Promise<void> {
  const { list, reports, listener } = state
  const { index, entry } = leaf
  const envelope = await envelopeOf(state, leaf)
  if (!envelope) return
  try {
    const { key, statement } = await openReport(envelope)
    const { subject } = statement.predicate.job.definition
    state.reportKey ??= key
    if (state.root) state.root.judge({ key, log: state.log.vkey.name, index })
    if (!state.root && state.reportKey !== key)
      list.fault('reports', index, `it is signed with ${key}, the reports before it with ${state.reportKey}`)
    else if (entry.subject !== subject.sha256 || entry.purl !== purlOf(subject))
      list.fault('reports', index, 'its leaf is about another file')
    else list.held('reports')
    await auditSequence(state, leaf, envelope, statement)
    reports.set(entry.id, { index, entry, envelope, statement })
    listener.report?.({ index, id: entry.id, statement })
  } catch (error) {
    list.fault('reports', index, messageOf(error))
  }
}

async function auditSequence(
  { last, list, source }: AuditState,
  { index, entry }: Leaf,
  envelope: Envelope,
  { predicate: { sequence, supersedes, job } }: ReportStatement,
): Promise<void> {
  const { sha256 } = job.definition.subject
  const before = last.get(sha256)
  last.set(sha256, { sequence, id: entry.id })
  if (before?.sequence === sequence && before.id !== entry.id) {
    const other = await fetchEnvelope(source, before.id)
    list.fault(
      'sequence',
      index,
      `reports ${before.id} and ${entry.id} on one file both have the number ${sequence}`,
      other && doubleSequence(envelope, other),
    )
  } else if (sequence !== (before?.sequence ?? 0) + 1)
    list.fault(
      'sequence',
      index,
      `it has the number ${sequence}, the report before it ${before?.sequence ?? 0}`,
    )
  else if (supersedes !== before?.id)
    list.fault('sequence', index, `it supersedes ${supersedes ?? 'nothing'}, not ${before?.id ?? 'nothing'}`)
  else list.held('sequence')
}

export function doubleSequence(one: Envelope, other: Envelope): Fault {
  const [first, second] = attestationId(one) < attestationId(other) ? [one, other] : [other, one]
  return { schema: 'pyti.fault/1', kind: 'double-sequence', reports: [first, second] }
}

/** What a report says must be what the end of its job says: who answered in which role, by which rules, from where in the log. */
export function reportFaults(report: SeenReport, close: CloseDocument, state: AuditState): string[] {
  const { job, rawLog, policy, inputAttestations, excluded, evaluation } = report.statement.predicate
  const { vkey } = state.log
  if (job.id !== close.job) return ['the report is about another job']
  if (rawLog.key !== formatVkey(vkey.name, 1, vkey.publicKey)) return ['the report names another log']
  if (rawLog.fromIndex !== close.task || rawLog.toIndex > report.index)
    return ['the report looks for raw data elsewhere in the log']
  if (canonicalJson(policy.annotations) !== canonicalJson(close.rules))
    return ['the report was made by other rules than its job']
  if (verificationResultOf(evaluation) !== report.statement.predicate.verificationResult)
    return ['the verification result is not what follows from the evaluation']
  const used = inputAttestations.map(one => ({ id: one.digest.sha256, ...one.annotations, used: true }))
  const voices = [...used, ...excluded.map(one => ({ ...one, used: false }))]
  const [first] = used
  // Of a job that does not repeat, the answer that the report shows is one of several.
  const shown = close.accepted ?? close.seats.find(one => one.attestation === first?.id)?.answer
  for (const voice of voices) {
    const seat = close.seats.find(one => one.attestation === voice.id)
    if (!seat) return [`the report names ${voice.id}, which has no seat`]
    const { volunteer, role, operator, weight } = seat
    if (
      voice.volunteer !== volunteer ||
      voice.role !== role ||
      voice.operator !== operator ||
      voice.weight !== weight
    )
      return [`the report says of ${volunteer} what its seat does not`]
    if (voice.used !== (role !== 'shadow' && seat.answer === shown))
      return [`the report ${voice.used ? 'uses' : 'excludes'} ${volunteer}, whose answer says otherwise`]
  }
  return []
}

/** Reports that no job's end names. */
export function auditOrphans({ reports, list, log, tail }: AuditState): void {
  for (const { index } of reports.values())
    if (index < log.checkpoint.size - Math.max(1, tail)) list.fault('reports', index, 'no job ended with it')
}
