import { z } from 'zod'
import type { Ballot } from '../consensus/ballot.ts'
import type { Cast, Rules } from '../consensus/decide.ts'
import { PytiError } from '../errors.ts'
import { JobPhase, releaseReasons } from '../wire/commands.ts'
import { Hex128, Job, PeerIdText, Sha256 } from '../wire/job.ts'

/** Milliseconds since the Unix epoch. */
const Moment = z.int().min(0)

/** Why a seat ended without raw data. None of these is ever a vote. */
export const SeatEnd = z.enum([...releaseReasons, 'deadline', 'disconnected', 'restarted', 'job-ended'])
export type SeatEnd = z.infer<typeof SeatEnd>

export const BlobRef = z.strictObject({ sha256: Sha256, size: z.int().min(0) })

/** What a volunteer handed in, after every check on it has passed. */
export const Submission = z.strictObject({
  /** SHA-256 of the DSSE pre-authentication bytes. */
  attestation: Sha256,
  rawData: BlobRef,
})
export type Submission = z.infer<typeof Submission>

const seat = {
  /** Counts the attempts of the job, from 1. */
  number: z.int().min(1),
  volunteer: PeerIdText,
  lease: Hex128,
  startedAt: Moment,
  deadline: Moment,
}
const ended = { endedAt: Moment, end: SeatEnd, detail: z.string().max(500).optional() }

/** One volunteer's attempt at a job. */
export const Seat = z.discriminatedUnion('state', [
  z.strictObject({ ...seat, state: z.literal('leased') }),
  z.strictObject({ ...seat, state: z.literal('submitted'), endedAt: Moment, submission: Submission }),
  z.strictObject({ ...seat, ...ended, state: z.literal('lost') }),
  z.strictObject({ ...seat, ...ended, state: z.literal('released') }),
])
export type Seat = z.infer<typeof Seat>
export type SubmittedSeat = Extract<Seat, { state: 'submitted' }>

/** A job as it lies in the store. Ballots lie beside it, as they are large and never change. */
export const StoredJob = z.strictObject({
  id: Sha256,
  job: Job,
  phase: JobPhase,
  seats: z.array(Seat),
  /** Seats to be handed out now, besides those that are leased. */
  wanted: z.int().min(0),
  createdAt: Moment,
  /** Why it ended `unresolved`. */
  reason: z.string().max(1_000).optional(),
  /** SHA-256 of the report bundle. */
  bundle: Sha256.optional(),
})
export type StoredJob = z.infer<typeof StoredJob>

export interface JobRecord extends StoredJob {
  /** By lease; of unfinished jobs only. */
  readonly ballots: Readonly<Record<string, Ballot>>
}

export type JobEvent =
  | { type: 'lease-granted'; volunteer: string; lease: string; deadline: number }
  | { type: 'raw-data-accepted'; lease: string; submission: Submission; ballot: Ballot }
  | { type: 'lease-released'; lease: string; end: SeatEnd; detail?: string }
  | { type: 'lease-expired'; lease: string }
  | { type: 'volunteer-lost'; lease: string; end: 'disconnected' | 'restarted' }
  | { type: 'report-published'; bundle: string }

/** What the shell has to do once the step is on disk. */
export type Effect = { type: 'publish' } | { type: 'advertise' }

export interface JobRules extends Rules {
  /** Seats one volunteer may lose or give back in one job. */
  maxAttemptsPerVolunteer: number
  /** Seats of one job in all. */
  maxAttempts: number
  /** Volunteers that say the same about the file (missing, other bytes) before the job ends with that reason. */
  fileComplaints: number
}

/** A new job: nothing handed out yet. */
export function newJobRecord(id: string, job: Job, now: number, rules: JobRules): JobRecord {
  return { id, job, phase: 'queued', seats: [], wanted: rules.quorum, createdAt: now, ballots: {} }
}

export function isOpen(record: StoredJob): boolean {
  return record.phase === 'queued' || record.phase === 'leased'
}

/** Reported or unresolved: nothing changes any more. */
export function isFinished(record: StoredJob): boolean {
  return record.phase === 'reported' || record.phase === 'unresolved'
}

export function submittedSeats(record: StoredJob): SubmittedSeat[] {
  return record.seats.filter(seat => seat.state === 'submitted')
}

/**
 * The ballots of an unfinished job.
 * @throws PytiError `ballot-missing`
 */
export function castsOf(job: JobRecord): Cast[] {
  return submittedSeats(job).map(({ volunteer, lease }) => {
    const ballot = job.ballots[lease]
    if (!ballot) throw new PytiError('ballot-missing', `job ${job.id} has no ballot for lease ${lease}`)
    return { volunteer, ballot }
  })
}

export function liveSeats(record: StoredJob): Seat[] {
  return record.seats.filter(seat => seat.state === 'leased')
}

/** Whether the volunteer has a seat here that is live or counted. */
export function holdsSeat(record: StoredJob, volunteer: string): boolean {
  return record.seats.some(
    seat => seat.volunteer === volunteer && (seat.state === 'leased' || seat.state === 'submitted'),
  )
}

/** Whether a seat of this job may be given to the volunteer now. */
export function mayTakeSeat(record: StoredJob, volunteer: string, rules: JobRules): boolean {
  if (!isOpen(record) || record.wanted === 0 || holdsSeat(record, volunteer)) return false
  return record.seats.filter(seat => seat.volunteer === volunteer).length < rules.maxAttemptsPerVolunteer
}
