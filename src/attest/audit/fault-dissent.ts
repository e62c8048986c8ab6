import { publicKeyFromPeerId } from '../../peer-id.ts'
import type { Envelope } from '../../wire/envelope.ts'
import { attestationId, openEnvelope, unverifiedPayload } from '../dsse.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { claimedReportKey, purlOf, ReportStatement } from '../report-statement.ts'
import { parseStatement } from '../statement.ts'
import { readTestimony } from '../testimony.ts'
import {
  type Confirmed,
  type FaultOf,
  openHead,
  openKey,
  openLeaf,
  type ProvenEnvelope,
  prove,
} from './fault-form.ts'

/** A report by whoever signed it; the key is the one it names. Throws as `openEnvelope` and `parseStatement`. */
export async function openReport(envelope: Envelope): Promise<{ key: string; statement: ReportStatement }> {
  const key = claimedReportKey(unverifiedPayload(envelope))
  const payload = await openEnvelope(envelope, publicKeyFromPeerId(key))
  return { key, statement: parseStatement(ReportStatement, payload) }
}

/** Every attestation a report accounts for, used or excluded. */
export function accountedFor({ predicate }: ReportStatement): string[] {
  return [
    ...predicate.inputAttestations.map(input => input.digest.sha256),
    ...predicate.excluded.map(entry => entry.id),
  ]
}

/**
 * The log holds signed raw data on a job below the report on that job, and the report neither uses nor excludes it. An honest
 * coordinator takes no raw data once it has signed, so there is none that it may leave out.
 */
export async function confirmDroppedDissent(fault: FaultOf<'dropped-dissent'>): Promise<Confirmed> {
  const head = await openHead(fault.checkpoint, openKey(fault.log))
  const raw = openAttested(fault.raw, head, 'raw')
  const report = openAttested(fault.report, head, 'report')
  const { statement } = await openReport(fault.report.envelope)
  const testimony = await readTestimony(fault.raw.envelope)
  const { job, rawLog } = statement.predicate
  const { task } = testimony.statement.predicate
  prove(rawLog.key === fault.log, 'the report is in another log')
  prove(task.id === job.id && task.nonce === job.definition.nonce, 'the raw data is about another job')
  const about = { subject: job.definition.subject.sha256, purl: purlOf(job.definition.subject) }
  prove(
    report.subject === about.subject && report.purl === about.purl,
    'the leaf of the report is about another file',
  )
  prove(raw.subject === about.subject, 'the leaf of the raw data is about another file')
  prove(fault.raw.index < fault.report.index, 'the raw data was logged after the report')
  prove(!accountedFor(statement).includes(raw.id), 'the report accounts for it')
  return {
    kind: 'dropped-dissent',
    accused: fault.log,
    detail: `report ${report.id} (leaf ${fault.report.index}) does not account for what ${testimony.volunteer} said in leaf ${fault.raw.index}`,
  }
}

function openAttested(proven: ProvenEnvelope, head: Checkpoint, kind: 'raw' | 'report') {
  const entry = openLeaf(proven, head)
  prove(entry.kind === kind, `leaf ${proven.index} is no ${kind}`)
  prove(entry.id === attestationId(proven.envelope), `the envelope is not that of leaf ${proven.index}`)
  return entry
}
