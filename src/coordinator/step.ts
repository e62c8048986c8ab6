import { decide } from '../consensus/decide.ts'
import { PytiError } from '../errors.ts'
import { describeFailures, sharedComplaint } from './failures.ts'
import {
  castsOf,
  type Effect,
  holdsSeat,
  isFinished,
  isOpen,
  type JobEvent,
  type JobRecord,
  type JobRules,
  liveSeats,
  mayTakeSeat,
  type Seat,
  type SeatEnd,
  type Submission,
  submittedSeats,
} from './state.ts'

export interface StepResult {
  /** The record that was passed in, unchanged, when the event says nothing new. */
  job: JobRecord
  effects: Effect[]
}

/**
 * What an event makes of a job. Pure. Repeated events are answered with the unchanged record, so that a volunteer
 * may ask again after a lost reply.
 * @param now milliseconds since the Unix epoch
 * @throws PytiError `stale-lease` the lease holds no longer | `conflict` the seat has other raw data already |
 *   `bad-event` the event does not fit the job's state
 */
export function step(job: JobRecord, event: JobEvent, now: number, rules: JobRules): StepResult {
  switch (event.type) {
    case 'lease-granted':
      return grant(job, event, now, rules)
    case 'raw-data-accepted':
      return submit(job, event, now, rules)
    case 'lease-released':
      return giveBack(job, event, now, rules)
    case 'lease-expired':
      return expire(job, event.lease, now, rules)
    case 'volunteer-lost':
      return lose(job, event.lease, event.end, now, rules)
    case 'report-published':
      return publish(job, event.bundle)
  }
}

type Granted = Extract<JobEvent, { type: 'lease-granted' }>
type Submitted = Extract<JobEvent, { type: 'raw-data-accepted' }>
type Released = Extract<JobEvent, { type: 'lease-released' }>

function grant(
  job: JobRecord,
  { volunteer, lease, deadline }: Granted,
  now: number,
  rules: JobRules,
): StepResult {
  if (!mayTakeSeat(job, volunteer, rules))
    throw badEvent(job, `${volunteer} may not take a seat`, { phase: job.phase, wanted: job.wanted })
  if (deadline <= now) throw badEvent(job, 'the deadline of the lease has passed already')
  if (job.seats.some(seat => seat.lease === lease)) throw badEvent(job, `lease ${lease} was used before`)
  const number = job.seats.length + 1
  const seat: Seat = { number, volunteer, lease, startedAt: now, deadline, state: 'leased' }
  return settle(job, [...job.seats, seat], now, rules)
}

function submit(job: JobRecord, event: Submitted, now: number, rules: JobRules): StepResult {
  const seat = seatForSubmission(job, event.lease, event.submission.attestation, rules)
  if (seat === 'known') return { job, effects: [] }
  const seats = replace(job, submitted(seat, event.submission, now))
  return settle({ ...job, ballots: { ...job.ballots, [seat.lease]: event.ballot } }, seats, now, rules)
}

/**
 * The seat that raw data would be counted for; `known` when this very attestation was counted before.
 * @throws PytiError `stale-lease` | `conflict`
 */
export function seatForSubmission(
  job: JobRecord,
  lease: string,
  attestation: string,
  rules: JobRules,
): Seat | 'known' {
  const seat = seatOf(job, lease)
  if (seat.state === 'submitted') {
    if (seat.submission.attestation === attestation) return 'known'
    throw new PytiError('conflict', `lease ${lease} has other raw data already`)
  }
  if (!stillCounts(job, seat, rules)) throw staleLease(job, seat)
  return seat
}

/** A live seat counts; a lost one as long as nobody else was given its place. */
function stillCounts(job: JobRecord, seat: Seat, rules: JobRules): boolean {
  if (!isOpen(job)) return false
  if (seat.state === 'leased') return true
  return seat.state === 'lost' && missingSeats(job, rules) > 0 && !holdsSeat(job, seat.volunteer)
}

function giveBack(
  job: JobRecord,
  { lease, end, detail }: Released,
  now: number,
  rules: JobRules,
): StepResult {
  const seat = seatOf(job, lease)
  if (seat.state === 'submitted') throw new PytiError('conflict', `lease ${lease} has raw data already`)
  if (seat.state !== 'leased') return { job, effects: [] }
  return settle(job, replace(job, withoutRawData(seat, 'released', end, now, detail)), now, rules)
}

function expire(job: JobRecord, lease: string, now: number, rules: JobRules): StepResult {
  const seat = seatOf(job, lease)
  if (seat.state === 'leased' && now < seat.deadline)
    throw badEvent(job, `lease ${lease} has ${seat.deadline - now} ms left`)
  return lose(job, lease, 'deadline', now, rules)
}

function lose(job: JobRecord, lease: string, end: SeatEnd, now: number, rules: JobRules): StepResult {
  const seat = seatOf(job, lease)
  if (seat.state !== 'leased') return { job, effects: [] }
  return settle(job, replace(job, withoutRawData(seat, 'lost', end, now)), now, rules)
}

function publish(job: JobRecord, bundle: string): StepResult {
  if (job.phase === 'reported' && job.bundle === bundle) return { job, effects: [] }
  if (job.phase !== 'agreed') throw badEvent(job, `a report was published in phase ${job.phase}`)
  return { job: { ...job, phase: 'reported', bundle }, effects: [] }
}

/** Draws the consequences of a change in the seats: agreement, more seats, or the end. */
function settle(before: JobRecord, seats: Seat[], now: number, rules: JobRules): StepResult {
  const job: JobRecord = { ...before, seats }
  const complaint = sharedComplaint(job, rules.fileComplaints)
  if (complaint) return end(before, job, complaint, now)
  const decision = decide(castsOf(job), rules)
  if (decision.kind === 'unresolved') return end(before, job, decision.reason, now)
  if (decision.kind === 'accept') {
    const agreed: JobRecord = { ...job, phase: 'agreed', wanted: 0, seats: endLiveSeats(job, now) }
    return { job: agreed, effects: [{ type: 'publish' }, ...advertIfChanged(before, agreed)] }
  }
  const live = liveSeats(job).length
  const attemptsLeft = rules.maxAttempts - seats.length
  const wanted = Math.max(0, Math.min(decision.seats - live, attemptsLeft))
  if (wanted === 0 && live === 0) return end(before, job, describeFailures(job), now)
  const occupied = live + submittedSeats(job).length
  const next: JobRecord = { ...job, wanted, phase: occupied > 0 ? 'leased' : 'queued' }
  return { job: next, effects: advertIfChanged(before, next) }
}

/** Seats the decision still asks for that nobody is working on. */
function missingSeats(job: JobRecord, rules: JobRules): number {
  const decision = decide(castsOf(job), rules)
  return decision.kind === 'wait' ? Math.max(0, decision.seats - liveSeats(job).length) : 0
}

function end(before: JobRecord, job: JobRecord, reason: string, now: number): StepResult {
  const ended: JobRecord = {
    ...job,
    phase: 'unresolved',
    wanted: 0,
    seats: endLiveSeats(job, now),
    reason: reason.slice(0, 1_000),
  }
  return { job: ended, effects: advertIfChanged(before, ended) }
}

function endLiveSeats(job: JobRecord, now: number): Seat[] {
  return job.seats.map(seat =>
    seat.state === 'leased' ? withoutRawData(seat, 'released', 'job-ended', now) : seat,
  )
}

function advertIfChanged(before: JobRecord, after: JobRecord): Effect[] {
  return before.wanted === after.wanted ? [] : [{ type: 'advertise' }]
}

function seatOf(job: JobRecord, lease: string): Seat {
  const seat = job.seats.find(candidate => candidate.lease === lease)
  if (!seat) throw new PytiError('stale-lease', `there is no lease ${lease} for job ${job.id}`)
  return seat
}

function replace(job: JobRecord, seat: Seat): Seat[] {
  return job.seats.map(old => (old.number === seat.number ? seat : old))
}

function submitted(seat: Seat, submission: Submission, now: number): Seat {
  const { number, volunteer, lease, startedAt, deadline } = seat
  return { number, volunteer, lease, startedAt, deadline, state: 'submitted', endedAt: now, submission }
}

function withoutRawData(
  seat: Seat,
  state: 'lost' | 'released',
  end: SeatEnd,
  now: number,
  detail?: string,
): Seat {
  const { number, volunteer, lease, startedAt, deadline } = seat
  const base = { number, volunteer, lease, startedAt, deadline, state, endedAt: now, end }
  return detail === undefined || detail === '' ? base : { ...base, detail: detail.slice(0, 500) }
}

function staleLease(job: JobRecord, seat: Seat): PytiError {
  const why = isFinished(job) || job.phase === 'agreed' ? `the job is ${job.phase}` : `it was ${seat.state}`
  return new PytiError('stale-lease', `lease ${seat.lease} holds no longer: ${why}`)
}

function badEvent(job: JobRecord, message: string, details?: Record<string, unknown>): PytiError {
  return new PytiError('bad-event', message, { details: { job: job.id, ...details } })
}
