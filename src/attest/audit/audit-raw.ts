import { messageOf } from '../../errors.ts'
import type { Envelope } from '../../wire/envelope.ts'
import type { CloseDocument, TaskDocument } from '../documents.ts'
import { purlOf } from '../report-statement.ts'
import { demandSameJob, readTestimony } from '../testimony.ts'
import { type AuditState, envelopeOf, type Leaf, type PendingRaw, type SeenReport } from './audit-state.ts'
import { accountedFor } from './fault-dissent.ts'
import { droppedDissent } from './prove.ts'
import { fetchEnvelope } from './source.ts'

/** Others' raw data on one file that is looked into at the end of a job. */
const othersMax = 1_000

export function auditRaw({ pending, list }: AuditState, leaf: Leaf): void {
  const { id, subject = '' } = leaf.entry
  const ofFile = pending.get(subject) ?? new Map<string, PendingRaw>()
  if (ofFile.has(id)) list.fault('completeness', leaf.index, 'the same raw data is logged twice')
  pending.set(subject, ofFile.set(id, { ...leaf }))
}

/**
 * Every statement that the end of a job names must lie between its task and its end, be signed by who has the seat, and be in
 * the report; none on this job may be left out.
 */
export async function auditAnswers(
  state: AuditState,
  index: number,
  close: CloseDocument,
  task: TaskDocument,
  report: SeenReport | undefined,
): Promise<void> {
  const { list, pending } = state
  const { subject } = task.job
  const ofFile = pending.get(subject.sha256)
  const accounted = report && new Set(accountedFor(report.statement))
  for (const { volunteer, attestation, role } of close.seats) {
    if (attestation === undefined) continue
    const leaf = ofFile?.get(attestation)
    if (!leaf) {
      list.fault('completeness', index, `the answer of ${volunteer} is in no leaf before the end of its job`)
      continue
    }
    ofFile?.delete(attestation)
    if (leaf.index <= close.task)
      list.fault('completeness', leaf.index, 'the answer was logged before its job')
    if ((role === 'referee' || task.trial) && isDismissed(state, volunteer, leaf.index))
      list.fault('seats', leaf.index, `${volunteer} answered as a referee after the policy named it no more`)
    const envelope = await auditEnvelope(state, leaf, close, task, volunteer)
    if (report === undefined || accounted?.has(attestation)) list.held('completeness')
    else if (envelope) await faultDropped(state, leaf, envelope, report)
    else list.fault('completeness', leaf.index, `report ${report.entry.id} does not account for it`)
  }
  let looked = 0
  for (const leaf of ofFile?.values() ?? []) {
    if (looked++ >= othersMax) break
    if (leaf.index <= close.task || (await jobNamed(state, leaf)) !== close.job) continue
    ofFile?.delete(leaf.entry.id)
    const envelope = await fetchEnvelope(state.source, leaf.entry.id)
    if (report && envelope) await faultDropped(state, leaf, envelope, report)
    else list.fault('completeness', leaf.index, `the end of job ${close.job} does not name it`)
  }
  if (ofFile?.size === 0) pending.delete(subject.sha256)
}

function isDismissed({ book, bookKnown, dismissed }: AuditState, volunteer: string, at: number): boolean {
  const since = dismissed.get(volunteer)
  return bookKnown && since !== undefined && since < at && !book.isReferee(volunteer)
}

/** Statements whose job never came to an end. */
export async function auditLeftOver(state: AuditState): Promise<number> {
  const { pending, list, closed, tasks, log, tail } = state
  let open = 0
  for (const ofFile of pending.values())
    for (const leaf of ofFile.values()) {
      const job = await jobNamed(state, leaf)
      if (job !== undefined && closed.has(job))
        list.fault('completeness', leaf.index, `job ${job} ended without it`)
      else if (job === undefined && tasks.size === 0 && leaf.index < log.checkpoint.size - tail)
        list.fault('completeness', leaf.index, 'no job is open, but it is neither out nor in the end of one')
      else open += 1
    }
  return open
}

async function jobNamed(state: AuditState, leaf: PendingRaw): Promise<string | undefined> {
  if (leaf.job !== undefined) return leaf.job
  try {
    const envelope = await fetchEnvelope(state.source, leaf.entry.id)
    if (envelope) leaf.job = (await readTestimony(envelope)).statement.predicate.task.id
  } catch (error) {
    state.list.fault('raw-data', leaf.index, messageOf(error))
  }
  return leaf.job
}

async function auditEnvelope(
  state: AuditState,
  leaf: Leaf,
  close: CloseDocument,
  { job }: TaskDocument,
  volunteer: string,
): Promise<Envelope | undefined> {
  if (!state.envelopes) return undefined
  const envelope = await envelopeOf(state, leaf)
  if (!envelope) return undefined
  try {
    const testimony = await readTestimony(envelope)
    demandSameJob(testimony, job)
    const [about] = testimony.statement.subject
    const { purl } = leaf.entry
    if (testimony.volunteer !== volunteer)
      state.list.fault('raw-data', leaf.index, `${testimony.volunteer} signed it, not ${volunteer}`)
    else if (about.digest.sha256 !== job.subject.sha256 || purl !== purlOf(job.subject))
      state.list.fault('raw-data', leaf.index, `it is about another file than job ${close.job}`)
    else state.list.held('raw-data')
    return envelope
  } catch (error) {
    state.list.fault('raw-data', leaf.index, messageOf(error))
    return undefined
  }
}

async function faultDropped(
  { list, log }: AuditState,
  leaf: Leaf,
  envelope: Envelope,
  report: SeenReport,
): Promise<void> {
  const detail = `report ${report.entry.id} (leaf ${report.index}) or the end of its job does not account for it`
  const provable = leaf.index < report.index && !accountedFor(report.statement).includes(leaf.entry.id)
  const proof = provable ? await droppedDissent(log, { ...leaf, envelope }, report) : undefined
  list.fault('completeness', leaf.index, detail, proof)
}
