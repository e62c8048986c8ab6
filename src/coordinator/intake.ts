import { accusationOf } from '../attest/minority.ts'
import { purlOf } from '../attest/report-statement.ts'
import type { Clock } from '../clock.ts'
import { ballotOf } from '../consensus/ballot.ts'
import { PytiError } from '../errors.ts'
import { CommandError } from '../net/command-error.ts'
import type { Network } from '../net/network.ts'
import type { BlobStore } from '../store/store.ts'
import type { Envelope } from '../wire/envelope.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Jobs } from './jobs.ts'
import type { Records } from './records.ts'
import { seatForSubmission } from './step.ts'
import { checkEnvelope, checkRawData } from './submission.ts'

export interface IntakeOptions {
  network: Network
  jobs: Jobs
  records: Records
  blobs: BlobStore
  clock: Clock
  config: CoordinatorConfig
}

export interface Handover {
  lease: string
  envelope: Envelope
}

/** Takes raw data in. @returns the attestation's id, the same one for the same attestation however often it comes */
export type Intake = (volunteer: string, handover: Handover, signal: AbortSignal) => Promise<string>

const busyRetryMs = 2_000

/** At most `maxIntakes` submissions are worked on at a time, as each may hold its raw data in memory. */
export function createIntake(options: IntakeOptions): Intake {
  let running = 0
  return async (volunteer, handover, signal) => {
    if (running >= options.config.maxIntakes)
      throw new CommandError('BUSY', 'too many submissions at this moment', { retryAfterMs: busyRetryMs })
    running += 1
    try {
      return await takeIn(volunteer, handover, signal, options)
    } finally {
      running -= 1
    }
  }
}

/** Cheap checks first; nothing is pulled for a lease that could not count. */
async function takeIn(
  volunteer: string,
  { lease, envelope }: Handover,
  signal: AbortSignal,
  { network, jobs, records, blobs, clock }: IntakeOptions,
): Promise<string> {
  const record = await jobs.findByLease(lease)
  const seat = record?.seats.find(candidate => candidate.lease === lease)
  if (!record || seat?.volunteer !== volunteer)
    throw new PytiError('stale-lease', `you hold no lease ${lease}`)

  const { testimony, blob } = await checkEnvelope(envelope, record.job, volunteer)
  const { attestation } = testimony
  if (seatForSubmission(record, lease, attestation) === 'known') return attestation
  const bytes = await collect(network.fetchBlob(volunteer, blob, { signal }), blob.size)
  const rawData = await checkRawData(testimony, bytes, record.job)
  const { keyed } = rawData.tasks.install?.stable ?? {}
  const seen = keyed === undefined ? undefined : await records.keyed.get(keyed)
  // What came before this job's nonce was drawn cannot have been worked out under it.
  if (seen && seen.job !== record.id && seen.at < record.createdAt)
    throw new PytiError('bad-submission', `what the task install found is a copy of job ${seen.job}`)
  for (const { sha256, size } of rawData.attachments)
    await blobs.put(sha256, network.fetchBlob(volunteer, { sha256, size }, { signal }))
  await blobs.put(blob.sha256, [bytes])

  const stored = [records.attestations.put(attestation, { job: record.id, volunteer, envelope })]
  if (keyed !== undefined && !seen) stored.push(records.keyed.put(keyed, { job: record.id, at: clock.now() }))
  const submission = { attestation, rawData: blob, accusing: accusationOf(rawData) !== undefined }
  const event = { type: 'raw-data-accepted', lease, submission, ballot: ballotOf(rawData) } as const
  const { subject } = record.job
  const leaf = { kind: 'raw', id: attestation, subject: subject.sha256, purl: purlOf(subject) } as const
  await jobs.apply(record.id, event, { writes: stored, entries: [leaf] })
  return attestation
}

async function collect(source: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  let filled = 0
  for await (const chunk of source) {
    if (filled + chunk.length > size) throw new PytiError('blob-corrupt', `more than ${size} bytes arrived`)
    bytes.set(chunk, filled)
    filled += chunk.length
  }
  if (filled < size) throw new PytiError('blob-corrupt', `${filled} bytes arrived, not ${size}`)
  return bytes
}
