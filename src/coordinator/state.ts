import { z } from 'zod'
import { documentId, type TaskDocument } from '../attest/documents.ts'
import { Policy } from '../attest/policy.ts'
import type { Ballot } from '../consensus/ballot.ts'
import { type Cast, type Role, type Rules, roles } from '../consensus/decide.ts'
import { PytiError } from '../errors.ts'
import { JobPhase, releaseReasons } from '../wire/commands.ts'
import { Hex128, Job, jobId, OperatorName, PeerIdText, Sha256 } from '../wire/job.ts'
import { Truth } from '../wire/truth.ts'

/** Milliseconds since the Unix epoch. */
const Moment = z.int().min(0)

/** Why a seat ended without raw data. `dismissed`: the policy named its referee no more. None of these is ever a vote. */
export const SeatEnd = z.enum([
  ...releaseReasons,
  'deadline',
  'disconnected',
  'restarted',
  'dismissed',
  'job-ended',
])
export type SeatEnd = z.infer<typeof SeatEnd>

export const BlobRef = z.strictObject({ sha256: Sha256, size: z.int().min(0) })

/** What a volunteer handed in, after every check on it has passed. */
export const Submission = z.strictObject({
  /** SHA-256 of the DSSE pre-authentication bytes. */
  attestation: Sha256,
  rawData: BlobRef,
  /** Whether a rule calls it `suspicious` or `confirmed`. */
  accusing: z.boolean(),
})
export type Submission = z.infer<typeof Submission>

const seat = {
  /** Counts the attempts of the job, from 1. */
  number: z.int().min(1),
  volunteer: PeerIdText,
  lease: Hex128,
  startedAt: Moment,
  deadline: Moment,
  role: z.enum(roles),
  /** Seats of one operator are one voice. */
  operator: OperatorName,
  /** Odds in thousandths, as of the draw. */
  weight: z.int().min(0),
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

const Index = z.int().min(0)
/** What a draw followed from: leaves of the log, and what it came to. */
export const Draw = z.strictObject({
  task: Index,
  roster: Index,
  beacon: Index,
  seed: Sha256,
  /** What all machines of its seats have in common. */
  platform: z.string().max(100),
  /** Referees the roster has for this job. */
  referees: z.int().min(0),
  /** Newcomers that run it too, to be checked. */
  shadows: z.int().min(0),
  /** Volunteers that were not there when their turn came. */
  passed: z.array(PeerIdText).max(10_000),
})
export type Draw = z.infer<typeof Draw>

/** A job as it lies in the store. Ballots lie beside it, as they are large and never change. */
export const StoredJob = z.strictObject({
  id: Sha256,
  job: Job,
  phase: JobPhase,
  seats: z.array(Seat),
  /** What the machines of all its seats have in common: backend, and processor where package code can see it. */
  platform: z.string().max(100).optional(),
  rules: Policy.shape.annotations,
  /** Document of the leaf that announced it. */
  task: Sha256,
  /** Known to nobody else until the job has closed: hidden seats follow from it and the draw's seed. */
  salt: Hex128,
  /** Where seats are drawn: what they follow from. None are handed out before. */
  draw: Draw.optional(),
  /** Seats to be handed out now, besides those that are leased, and in which role. */
  wanted: z.int().min(0),
  wantedRole: z.enum(roles),
  createdAt: Moment,
  /** Why it ended `unresolved`. */
  reason: z.string().max(1_000).optional(),
  /** Whether honest runs were seen to differ. */
  flaky: z.boolean().optional(),
  /**
   * Of a job of class `K`: the one it repeats, and the digest of the answer that is right; a trial has none.
   */
  known: z
    .strictObject({
      of: Sha256,
      answer: Sha256.optional(),
      trial: z.boolean(),
      /** Of a trial that is an audit: which one of its job. */
      attempt: z.int().min(1).optional(),
      /** What the machines of the repeated job had in common. */
      platform: z.string().max(100),
      /** Operators that ran the repeated job. */
      without: z.array(OperatorName).max(1_000),
    })
    .optional(),
  /** Of a job on a bundled sample: what must come out. */
  sample: Truth.optional(),
  /** The job of class `K` made of this one; its report is held back meanwhile, so that nobody can copy from it. */
  repeatedBy: Sha256.optional(),
  /** Attestation id of the report, once it is signed and in the log. */
  report: Sha256.optional(),
  /** SHA-256 of the report bundle. */
  bundle: Sha256.optional(),
})
export type StoredJob = z.infer<typeof StoredJob>

export interface JobRecord extends StoredJob {
  /** By lease; of unfinished jobs only. */
  readonly ballots: Readonly<Record<string, Ballot>>
}

export type JobEvent =
  | { type: 'drawn'; draw: Draw }
  | { type: 'passed-over'; volunteers: readonly string[] }
  /** Nobody on the roster can take what is open. */
  | { type: 'exhausted' }
  | { type: 'lease-granted'; lease: string; deadline: number; seat: SeatTaker }
  | { type: 'raw-data-accepted'; lease: string; submission: Submission; ballot: Ballot }
  | { type: 'lease-released'; lease: string; end: SeatEnd; detail?: string }
  | { type: 'lease-expired'; lease: string }
  | { type: 'volunteer-lost'; lease: string; end: 'disconnected' | 'restarted' }
  /** They are referees no more. */
  | { type: 'dismissed'; volunteers: readonly string[] }
  | { type: 'repeated'; by: string }
  | { type: 'checked' }
  | { type: 'report-signed'; report: string }
  | { type: 'report-published'; bundle: string }

/** Who takes a seat, and how its word counts. */
export interface SeatTaker {
  volunteer: string
  role: Role
  operator: string
  /** Odds in thousandths. */
  weight: number
  platform: string
}

/** What the shell has to do once the step is on disk. */
export type Effect = { type: 'publish' } | { type: 'advertise' }

export interface JobRules {
  /** Seats one volunteer may lose or give back in one job. */
  maxAttemptsPerVolunteer: number
  /** Seats of one job in all. */
  maxAttempts: number
  /** Volunteers that say the same about the file (missing, other bytes) before the job ends with that reason. */
  fileComplaints: number
}

/** A new job: nothing handed out yet. Where seats are drawn, none is wanted before the draw. */
export function newJobRecord(
  job: Job,
  now: number,
  rules: Rules,
  salt: string,
  made: Pick<StoredJob, 'known' | 'sample'> = {},
): JobRecord {
  const wanted = rules.jobClass === 'open' ? rules.seats : 0
  const task = documentId(taskOf({ job, rules, salt, ...made }))
  const start = { phase: 'queued', wanted, wantedRole: 'seat', ballots: {} } as const
  return { ...start, id: jobId(job), job, rules, salt, task, createdAt: now, seats: [], ...made }
}

/** What the log says of a new job, once it has closed. */
export function taskOf({
  job,
  rules,
  salt,
  known,
  sample,
}: Pick<StoredJob, 'job' | 'rules' | 'salt' | 'known' | 'sample'>): TaskDocument {
  const task = { schema: 'pyti.task/1', job, jobClass: rules.jobClass, salt } as const
  if (sample) return { ...task, sample: true }
  if (!known) return task
  const { of, trial, without, platform } = known
  return { ...task, repeats: of, trial, without, platform }
}

export function isOpen(record: StoredJob): boolean {
  return record.phase === 'queued' || record.phase === 'leased'
}

/** Nothing changes any more. */
export function isFinished({ phase }: StoredJob): boolean {
  return phase === 'reported' || phase === 'unresolved' || phase === 'checked'
}

export function submittedSeats(record: StoredJob): SubmittedSeat[] {
  return record.seats.filter(seat => seat.state === 'submitted')
}

/**
 * The ballots of an unfinished job.
 * @throws PytiError `ballot-missing`
 */
export function castsOf(job: JobRecord): Cast[] {
  return submittedSeats(job).map(({ volunteer, lease, role, operator, weight }) => {
    const ballot = job.ballots[lease]
    if (!ballot) throw new PytiError('ballot-missing', `job ${job.id} has no ballot for lease ${lease}`)
    return { volunteer, ballot, role, cluster: operator, weight }
  })
}

/** Seats that only a referee may have and that may still bring raw data: leased ones, and lost ones, which may come late. */
export function openRefereeSeats({ seats, known }: StoredJob): Seat[] {
  return seats.filter(
    ({ role, state }) =>
      (role === 'referee' || known?.trial === true) && (state === 'leased' || state === 'lost'),
  )
}

export function liveSeats(record: StoredJob): Seat[] {
  return record.seats.filter(seat => seat.state === 'leased')
}

/** Whether the volunteer has a seat here that is live or counted. */
export function holdsSeat(record: StoredJob, volunteer: string): boolean {
  return record.seats.some(seat => seat.volunteer === volunteer && isOccupied(seat))
}

/** Live or counted. */
export function isOccupied(seat: Seat): boolean {
  return seat.state === 'leased' || seat.state === 'submitted'
}

/** Whether a seat of this job may be given to the volunteer now. */
export function mayTakeSeat(
  record: StoredJob,
  { volunteer, role, operator, platform }: Omit<SeatTaker, 'weight'>,
  rules: JobRules,
): boolean {
  if (!hasPlace(record, role) || holdsSeat(record, volunteer)) return false
  const occupied = record.seats.filter(isOccupied)
  if (occupied.some(seat => seat.operator === operator)) return false
  if (occupied.length > 0 && record.platform !== platform) return false
  return record.seats.filter(seat => seat.volunteer === volunteer).length < rules.maxAttemptsPerVolunteer
}

/** Whether somebody could be given this role now. */
export function hasPlace(record: StoredJob, role: Role): boolean {
  if (!isOpen(record)) return false
  return role === 'shadow' ? shadowsWanted(record) > 0 : record.wanted > 0 && role === record.wantedRole
}

/** Newcomers that could run it too now. */
export function shadowsWanted(record: StoredJob): number {
  if (!record.draw || !isOpen(record) || record.wantedRole !== 'seat') return 0
  const shadows = record.seats.filter(seat => seat.role === 'shadow' && isOccupied(seat))
  return record.draw.shadows - shadows.length
}
