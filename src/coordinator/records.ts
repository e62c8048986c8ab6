import { z } from 'zod'
import type { Ballot } from '../consensus/ballot.ts'
import { PytiError } from '../errors.ts'
import { createRepository, type Repository, sortable } from '../store/repository.ts'
import type { Store, Write } from '../store/store.ts'
import { Envelope } from '../wire/envelope.ts'
import { PeerIdText, Sha256, Subject } from '../wire/job.ts'
import { Attachment, TestOutcome } from '../wire/raw-data.ts'
import { isFinished, type JobRecord, StoredJob, submittedSeats } from './state.ts'

const StoredBallot = z.strictObject({
  sections: z.record(z.string(), Sha256),
  tests: z.record(z.string(), TestOutcome),
})

/** What a volunteer signed, kept for ever: a report names every one of them. */
export const StoredAttestation = z.strictObject({ job: Sha256, volunteer: PeerIdText, envelope: Envelope })
export type StoredAttestation = z.infer<typeof StoredAttestation>

export const ReportEntry = z.strictObject({
  job: Sha256,
  subject: Subject,
  bundle: Attachment,
  /** The report's own. */
  attestation: Sha256,
  /** Counts the reports on one file, from 1. */
  sequence: z.int().min(1),
})
export type ReportEntry = z.infer<typeof ReportEntry>

const AuditNote = z.strictObject({
  /** Which one it is: those before it came to nothing. */
  attempt: z.int().min(1).default(1),
  /** Not to be made before (milliseconds since the Unix epoch). */
  from: z.int().min(0).default(0),
})
export type AuditNote = z.infer<typeof AuditNote>

const JobRef = z.strictObject({ job: Sha256 })

/** The coordinator's part of the store: one repository per kind of record. */
export interface Records {
  jobs: Repository<StoredJob>
  /** Unfinished jobs, oldest first. */
  unfinished: Repository<{ job: string }>
  /** By `JOB/LEASE`, while the job is unfinished. */
  ballots: Repository<Ballot>
  /** Lease -> job. */
  leases: Repository<{ job: string }>
  attestations: Repository<StoredAttestation>
  /** Jobs by `SHA256-OF-THE-FILE/JOB`. */
  jobsByFile: Repository<{ job: string }>
  /** By `sha256/DIGEST/TIME/JOB` and `name/FILENAME/TIME/JOB`. */
  reports: Repository<ReportEntry>
  /** Every report that was signed, published or not, by `SHA256-OF-THE-FILE/SEQUENCE`. */
  signed: Repository<{ attestation: string; sequence: number }>
  /** What leaves of the log stand for, by SHA-256. */
  documents: Repository<unknown>
  /** Ids of documents and attestations that are still to be put where anybody can see them. */
  outbox: Repository<Record<string, never>>
  /** Jobs to be made again, by `JOB/BECAUSE`, and whether their report is to be withdrawn at once. */
  rechecks: Repository<{ because: string; withdraw: boolean }>
  /** Jobs whose report, or what was said of a sample, a referee is to look into. */
  audits: Repository<AuditNote>
  /** `keyed` of the task `install` -> the first job it came for, and when (milliseconds since the Unix epoch). */
  keyed: Repository<{ job: string; at: number }>
  /** Reports that are not to be relied on any longer, by attestation id. */
  withdrawn: Repository<{ because: string; job: string }>
  /** Where following the index has arrived. */
  cursors: Repository<{ cursor: string }>
}

export function openRecords(store: Store): Records {
  return {
    jobs: createRepository(store, 'job/', StoredJob),
    unfinished: createRepository(store, 'unfinished/', JobRef),
    ballots: createRepository(store, 'ballot/', StoredBallot),
    leases: createRepository(store, 'lease/', JobRef),
    attestations: createRepository(store, 'attestation/', StoredAttestation),
    jobsByFile: createRepository(store, 'job-of-file/', JobRef),
    reports: createRepository(store, 'report/', ReportEntry),
    signed: createRepository(
      store,
      'signed/',
      z.strictObject({ attestation: Sha256, sequence: z.int().min(1) }),
    ),
    documents: createRepository(store, 'document/', z.unknown()),
    outbox: createRepository(store, 'outbox/', z.strictObject({})),
    rechecks: createRepository(store, 'recheck/', z.strictObject({ because: Sha256, withdraw: z.boolean() })),
    audits: createRepository(store, 'audit/', AuditNote),
    keyed: createRepository(store, 'keyed/', z.strictObject({ job: Sha256, at: z.int().min(0) })),
    withdrawn: createRepository(store, 'withdrawn/', z.strictObject({ because: Sha256, job: Sha256 })),
    cursors: createRepository(store, 'cursor/', z.strictObject({ cursor: z.string() })),
  }
}

/** The writes that bring the store from one record of a job to the next. */
export function writesFor(records: Records, before: JobRecord | undefined, after: JobRecord): Write[] {
  const { id } = after
  const { ballots, ...stored } = after
  const leasesBefore = new Set(before?.seats.map(seat => seat.lease))
  const writes = [records.jobs.put(id, stored)]
  if (!before)
    writes.push(
      records.unfinished.put(unfinishedId(after), { job: id }),
      records.jobsByFile.put(`${after.job.subject.sha256}/${id}`, { job: id }),
    )
  for (const { lease } of after.seats)
    if (!leasesBefore.has(lease)) writes.push(records.leases.put(lease, { job: id }))
  for (const [lease, ballot] of Object.entries(ballots))
    if (!before?.ballots[lease]) writes.push(records.ballots.put(`${id}/${lease}`, ballot))
  if (isFinished(after)) {
    writes.push(records.unfinished.remove(unfinishedId(after)))
    for (const { lease } of submittedSeats(after)) writes.push(records.ballots.remove(`${id}/${lease}`))
  }
  return writes
}

/** Unfinished jobs, oldest first, with their ballots. */
export async function* loadUnfinished(records: Records): AsyncGenerator<JobRecord> {
  for await (const [, { job: id }] of records.unfinished.entries()) {
    const stored = await records.jobs.get(id)
    if (!stored) throw damaged(`job ${id} is listed as unfinished but is not there`)
    const ballots: Record<string, Ballot> = {}
    for (const { lease } of submittedSeats(stored)) {
      const ballot = await records.ballots.get(`${id}/${lease}`)
      if (!ballot) throw damaged(`the ballot of lease ${lease} is not there`)
      ballots[lease] = ballot
    }
    yield { ...stored, ballots }
  }
}

function unfinishedId(record: StoredJob): string {
  return `${sortable(record.createdAt)}/${record.id}`
}

function damaged(what: string): PytiError {
  return new PytiError('store-damaged', `the store is damaged: ${what}`, {
    hint: 'put back a copy of the data directory',
  })
}
