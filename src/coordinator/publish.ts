import { encodeBundle } from '../attest/bundle.ts'
import { type Signer, sign, statementType } from '../attest/dsse.ts'
import { reportStatement, type Voter } from '../attest/report-statement.ts'
import { rawDataOf, readTestimony } from '../attest/testimony.ts'
import { verifyBundle } from '../attest/verify.ts'
import { type Clock, rfc3339 } from '../clock.ts'
import { decide } from '../consensus/decide.ts'
import { PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { peerIdFromPublicKey } from '../peer-id.ts'
import { evaluate } from '../report/evaluate.ts'
import { putBytes, readBlob } from '../store/blob-bytes.ts'
import { sortable } from '../store/repository.ts'
import type { BlobStore, Write } from '../store/store.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import type { Envelope } from '../wire/commands.ts'
import { limits } from '../wire/limits.ts'
import type { RawData } from '../wire/raw-data.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Jobs } from './jobs.ts'
import type { Records, ReportEntry } from './records.ts'
import { castsOf, type JobRecord, submittedSeats } from './state.ts'

export interface PublishOptions {
  jobs: Jobs
  records: Records
  blobs: BlobStore
  clock: Clock
  reportSigner: Signer
  log: Logger
  config: CoordinatorConfig
}

/**
 * Makes the report of a job that is agreed, stores its bundle and marks the job as reported. The same job gives the
 * same bytes whenever it is done, so doing it again after a crash does no harm. Does nothing in other phases.
 * @throws PytiError `report-refused` when the finished bundle does not pass the check that readers make
 */
export async function publishReport(id: string, options: PublishOptions): Promise<void> {
  const { jobs, records, blobs, clock, log, config } = options
  const record = await jobs.find(id)
  if (record?.phase !== 'agreed') return
  const bytes = await makeBundle(record, options)
  const { ok, checks } = verifyBundle(bytes, { minimumVolunteers: config.quorum })
  if (!ok)
    throw new PytiError('report-refused', `the report of job ${id} does not hold`, {
      details: { checks: checks.filter(check => check.state === 'failed') },
    })
  const sha256 = await putBytes(blobs, bytes)
  const { subject } = record.job
  const bundle = { name: `${subject.filename.slice(0, 180)}.intoto.jsonl`, sha256, size: bytes.length }
  const event = { type: 'report-published', bundle: sha256 } as const
  await jobs.apply(id, event, entriesFor(records, { job: id, subject, bundle }, clock.now()))
  log.info('report published', { job: id, filename: subject.filename, bundle: sha256, bytes: bytes.length })
}

async function makeBundle(record: JobRecord, options: PublishOptions): Promise<Uint8Array> {
  const { reportSigner, config } = options
  const decision = decide(castsOf(record), config)
  if (decision.kind !== 'accept')
    throw new PytiError('report-refused', `job ${record.id} has no agreement (${decision.kind})`)
  const evidence = await gatherEvidence(record, options)
  const agreeing = evidence.filter(({ volunteer }) => decision.agreeing.includes(volunteer))
  const statement = reportStatement({
    reportKey: peerIdFromPublicKey(reportSigner.publicKey),
    software: config.software,
    timeVerified: rfc3339(Math.max(...submittedSeats(record).map(seat => seat.endedAt))),
    job: record.job,
    agreeing,
    dissenting: evidence.filter(({ volunteer }) => decision.dissenting.includes(volunteer)),
    flaky: decision.flaky,
    evaluation: evaluate({ rawData: agreeing.map(({ rawData }) => rawData), flaky: decision.flaky }),
    rules: { quorum: config.quorum, maxSeats: config.maxSeats },
  })
  return encodeBundle({
    report: await sign(statementType, canonicalBytes(statement), reportSigner),
    rawData: evidence.map(({ envelope }) => envelope),
    blobs: evidence.map(({ bytes }) => bytes),
  })
}

interface Evidence extends Voter {
  envelope: Envelope
  bytes: Uint8Array
  rawData: RawData
}

/** What every volunteer handed in, agreeing or not. */
async function gatherEvidence(record: JobRecord, { records, blobs }: PublishOptions): Promise<Evidence[]> {
  const evidence: Evidence[] = []
  for (const { volunteer, submission } of submittedSeats(record)) {
    const { attestation } = submission
    const stored = await records.attestations.get(attestation)
    if (!stored) throw new PytiError('store-damaged', `attestation ${attestation} is not there`)
    const { envelope } = stored
    const bytes = await readBlob(blobs, submission.rawData.sha256, limits.rawDataBytes)
    const rawData = rawDataOf(readTestimony(envelope), bytes, record.job)
    evidence.push({ volunteer, attestation, envelope, bytes, rawData })
  }
  return evidence
}

function entriesFor(records: Records, entry: ReportEntry, now: number): Write[] {
  const when = `${sortable(now)}/${entry.job}`
  return [
    records.reports.put(`job/${entry.job}`, entry),
    records.reports.put(`sha256/${entry.subject.sha256}/${when}`, entry),
    records.reports.put(`name/${entry.subject.filename}/${when}`, entry),
  ]
}
