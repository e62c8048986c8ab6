import { encodeBundle } from '../attest/bundle.ts'
import { attestationId, type Signer, sign, statementType, unverifiedPayload } from '../attest/dsse.ts'
import { minorityOf } from '../attest/minority.ts'
import { purlOf, ReportStatement, reportStatement, type Voter } from '../attest/report-statement.ts'
import { parseStatement } from '../attest/statement.ts'
import { rawDataOf, readTestimony } from '../attest/testimony.ts'
import { verifyBundle } from '../attest/verify.ts'
import { rfc3339 } from '../clock.ts'
import { decide } from '../consensus/decide.ts'
import { PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { peerIdFromPublicKey } from '../peer-id.ts'
import { evaluate } from '../report/evaluate.ts'
import { putBytes, readBlob } from '../store/blob-bytes.ts'
import { sortable } from '../store/repository.ts'
import type { BlobStore, Write } from '../store/store.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import type { Envelope } from '../wire/envelope.ts'
import { limits } from '../wire/limits.ts'
import type { RawData } from '../wire/raw-data.ts'
import { contradictions, type Truth } from '../wire/truth.ts'
import { type BaselineOptions, findBaseline, loadBaseline } from './baseline.ts'
import { holdForKnown, type KnownOptions } from './known.ts'
import { showing } from './log-documents.ts'
import type { PublicLog } from './public-log.ts'
import type { Records, ReportEntry } from './records.ts'
import { castsOf, type JobRecord, submittedSeats } from './state.ts'

export interface PublishOptions extends KnownOptions, BaselineOptions {
  records: Records
  blobs: BlobStore
  reportSigner: Signer
  publicLog: PublicLog
  log: Logger
}

/**
 * Ends an agreed job. Makes its report unless its answer was known or it is on a sample: signs and logs it, waits for a checkpoint over it, stores the bundle and marks the
 * job as reported. After a crash it goes on from what is on disk. Does nothing in other phases.
 * @throws PytiError `report-refused` when the finished bundle does not pass the check that readers make
 */
export async function publishReport(id: string, options: PublishOptions): Promise<void> {
  const { jobs, records, blobs, clock, log, publicLog } = options
  const agreed = await jobs.find(id)
  if (agreed?.phase !== 'agreed') return
  if (agreed.known) {
    await jobs.apply(id, { type: 'checked' })
    return
  }
  // Once it is repeated it was right, and need not be evaluated at every look at whether the repetition has ended.
  const truth = agreed.repeatedBy === undefined ? agreed.sample : undefined
  const wrong = truth ? await contradictionsIn(agreed, truth, options) : []
  // A lie must not become what others are checked by.
  if (agreed.report === undefined && wrong.length === 0 && (await holdForKnown(agreed, options))) return
  if (agreed.sample) {
    await endSample(agreed, wrong, options)
    return
  }
  const record = agreed.report === undefined ? await signReport(agreed, options) : agreed
  const attestation = record.report ?? ''
  await publicLog.settle()
  const { report, bytes } = await makeBundle(record, attestation, options)
  const { ok, checks } = await verifyBundle(bytes, {
    minimumVolunteers: record.rules.quorum,
    logKey: publicLog.key,
  })
  if (!ok)
    throw new PytiError('report-refused', `the report of job ${id} does not hold`, {
      details: { checks: checks.filter(check => check.state === 'failed') },
    })
  const sha256 = await putBytes(blobs, bytes)
  const { subject } = record.job
  const bundle = { name: `${subject.filename.slice(0, 180)}.intoto.jsonl`, sha256, size: bytes.length }
  const event = { type: 'report-published', bundle: sha256 } as const
  const { sequence } = report.predicate
  const writes = entriesFor(records, { job: id, subject, bundle, attestation, sequence }, clock.now())
  await jobs.apply(id, event, { writes })
  log.info('report published', { job: id, filename: subject.filename, bundle: sha256, bytes: bytes.length })
}

/** What was agreed on about a sample, against what it is known to do. */
async function contradictionsIn(record: JobRecord, truth: Truth, options: PublishOptions): Promise<string[]> {
  const decision = decide(castsOf(record), record.rules)
  if (decision.kind !== 'accept') return []
  const { agreeing, flaky } = decision
  const evidence = await gatherEvidence(record, options)
  const rawData = evidence.filter(({ volunteer }) => agreeing.includes(volunteer)).map(one => one.rawData)
  return contradictions(truth, evaluate({ rawData, flaky }))
}

/** Nothing is published of a bundled sample; referees look into an answer that is not what it is known to do. */
async function endSample(
  { id, draw }: JobRecord,
  wrong: readonly string[],
  { jobs, records, log }: PublishOptions,
): Promise<void> {
  if (wrong.length > 0) log.warn('a sample was not told as what it is', { job: id, wrong })
  const isTried = wrong.length > 0 && (draw?.referees ?? 0) > 0
  await jobs.apply(
    id,
    { type: 'checked' },
    { writes: isTried ? [records.audits.put(id, { attempt: 1, from: 0 })] : [] },
  )
}

/** Signs the report and logs it, in the same batch as the end of the job. */
async function signReport(record: JobRecord, options: PublishOptions): Promise<JobRecord> {
  const { jobs, records, reportSigner, publicLog, config } = options
  const { job, rules } = record
  const decision = decide(castsOf(record), rules)
  if (decision.kind !== 'accept' && decision.kind !== 'flaky')
    throw new PytiError('report-refused', `job ${record.id} has no agreement (${decision.kind})`)
  const unrepeated = decision.kind === 'flaky' ? decision.sections : []
  const evidence = await gatherEvidence(record, options)
  const agreeing = evidence.filter(({ volunteer }) => decision.agreeing.includes(volunteer))
  const excluded = evidence.filter(({ volunteer }) => !decision.agreeing.includes(volunteer))
  const last = await lastReport(job.subject.sha256, records)
  const reportKey = peerIdFromPublicKey(reportSigner.publicKey)
  const baseline = await findBaseline(job, options)
  const statement = reportStatement({
    reportKey,
    software: config.software,
    timeVerified: rfc3339(Math.max(...submittedSeats(record).map(seat => seat.endedAt))),
    job,
    agreeing,
    excluded,
    rawLog: {
      key: publicLog.key,
      fromIndex: (await publicLog.ledger.find(record.task)) ?? 0,
      toIndex: publicLog.ledger.size(),
    },
    sequence: (last?.sequence ?? 0) + 1,
    supersedes: last?.attestation,
    minority: minorityOf(excluded),
    flaky: decision.flaky,
    unrepeated,
    evaluation: evaluate({
      rawData: agreeing.map(({ rawData }) => rawData),
      flaky: decision.flaky,
      unrepeated,
      previous: baseline?.rawData,
    }),
    baseline: baseline && { report: baseline.report, attestation: baseline.attestation },
    rules,
  })
  const envelope = await sign(statementType, canonicalBytes(statement), reportSigner)
  const report = attestationId(envelope)
  const leaf = { kind: 'report', id: report, subject: job.subject.sha256, purl: purlOf(job.subject) } as const
  const { sequence } = statement.predicate
  const writes = [
    records.attestations.put(report, { job: record.id, volunteer: reportKey, envelope }),
    records.signed.put(`${job.subject.sha256}/${sortable(sequence)}`, { attestation: report, sequence }),
    showing(records, report),
  ]
  return jobs.apply(record.id, { type: 'report-signed', report }, { writes, entries: [leaf] })
}

async function makeBundle(
  record: JobRecord,
  attestation: string,
  options: PublishOptions,
): Promise<{ report: ReportStatement; bytes: Uint8Array }> {
  const { records, publicLog } = options
  const envelope = await envelopeOf(attestation, records)
  const evidence = await gatherEvidence(record, options)
  const proofs = await publicLog.proofs([attestation, ...evidence.map(one => one.attestation)])
  const report = parseStatement(ReportStatement, unverifiedPayload(envelope))
  const named = report.predicate.baseline
  const baseline = named && (await loadBaseline(named, record.job, options))
  const vouched = baseline ? [...evidence, baseline] : evidence
  return {
    report,
    bytes: encodeBundle({
      report: envelope,
      rawData: vouched.map(one => one.envelope),
      blobs: vouched.map(({ bytes }) => bytes),
      proofs,
    }),
  }
}

/** The newest report on a file, whether it is out yet or not: a number that was signed is never used again. */
async function lastReport(sha256: string, { signed }: Records) {
  for await (const [, report] of signed.entries({ under: `${sha256}/`, reverse: true, limit: 1 }))
    return report
  return undefined
}

async function envelopeOf(attestation: string, records: Records): Promise<Envelope> {
  const stored = await records.attestations.get(attestation)
  if (!stored) throw new PytiError('store-damaged', `attestation ${attestation} is not there`)
  return stored.envelope
}

interface Evidence extends Voter {
  envelope: Envelope
  bytes: Uint8Array
  rawData: RawData
}

/** What every volunteer handed in, agreeing or not. */
async function gatherEvidence(
  record: JobRecord,
  { records, blobs, publicLog }: PublishOptions,
): Promise<Evidence[]> {
  const evidence: Evidence[] = []
  for (const { volunteer, submission, role, operator, weight } of submittedSeats(record)) {
    const { attestation } = submission
    const envelope = await envelopeOf(attestation, records)
    const logIndex = await publicLog.ledger.find(attestation)
    if (logIndex === undefined)
      throw new PytiError('store-damaged', `the log does not have the attestation ${attestation}`)
    const bytes = await readBlob(blobs, submission.rawData.sha256, limits.rawDataBytes)
    const rawData = rawDataOf(await readTestimony(envelope), bytes, record.job)
    const voice = { volunteer, attestation, role, operator, weight, logIndex }
    evidence.push({ ...voice, envelope, bytes, rawData })
  }
  return evidence
}

function entriesFor(records: Records, entry: ReportEntry, now: number): Write[] {
  const when = `${sortable(now)}/${entry.job}`
  return [
    records.reports.put(`job/${entry.job}`, entry),
    records.reports.put(`sha256/${entry.subject.sha256}/${when}`, entry),
    records.reports.put(`name/${entry.subject.filename}/${when}`, entry),
    records.reports.put(`project/${entry.subject.project}/${entry.subject.kind}/${when}`, entry),
  ]
}
