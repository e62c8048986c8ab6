import { classes, rulesOf } from '../consensus/classes.ts'
import { decide, type Rules } from '../consensus/decide.ts'
import { chance, extraSeats } from '../consensus/draw.ts'
import { PytiError } from '../errors.ts'
import { describeFailures, sharedComplaint } from './failures.ts'
import {
  castsOf,
  type Draw,
  type Effect,
  hasPlace,
  isFinished,
  isOccupied,
  isOpen,
  type JobEvent,
  type JobRecord,
  type JobRules,
  liveSeats,
  mayTakeSeat,
  openRefereeSeats,
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
    case 'drawn':
      return draw(job, event.draw, now, rules)
    case 'passed-over':
      return passOver(job, event.volunteers)
    case 'exhausted':
      return exhaust(job, now)
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
    case 'dismissed':
      return dismiss(job, event.volunteers, now, rules)
    case 'repeated':
      return repeat(job, event.by)
    case 'checked':
      return check(job)
    case 'report-signed':
      return sign(job, event.report)
    case 'report-published':
      return publish(job, event.bundle)
  }
}

type Granted = Extract<JobEvent, { type: 'lease-granted' }>
type Submitted = Extract<JobEvent, { type: 'raw-data-accepted' }>
type Released = Extract<JobEvent, { type: 'lease-released' }>

/** From here on seats are handed out, the hidden ones like the others. */
function draw(before: JobRecord, drawn: Draw, now: number, rules: JobRules): StepResult {
  if (before.draw) return { job: before, effects: [] }
  if (before.rules.jobClass === 'open' || before.phase !== 'queued')
    throw badEvent(before, 'there is nothing to draw', { phase: before.phase })
  const job = { ...before, draw: drawn, rules: drawnRules(before, drawn) }
  const result = settle(job, job.seats, now, rules)
  return { job: result.job, effects: [{ type: 'advertise' }] }
}

/** The rules of a class with what is hidden in them, which the salt and the seed decide. */
function drawnRules({ salt, rules }: JobRecord, { seed, referees }: Draw, jobClass = rules.jobClass): Rules {
  const { extra, referee } = classes[jobClass]
  return rulesOf(jobClass, {
    extra: extraSeats(seed, salt, extra),
    spotReferees: chance(seed, salt, 'referee', referee) ? 1 : 0,
    referees,
  })
}

function passOver(job: JobRecord, volunteers: readonly string[]): StepResult {
  if (!job.draw) throw badEvent(job, 'nothing was drawn yet')
  const passed = [...new Set([...job.draw.passed, ...volunteers])]
  if (passed.length === job.draw.passed.length) return { job, effects: [] }
  return { job: { ...job, draw: { ...job.draw, passed } }, effects: [] }
}

function exhaust(job: JobRecord, now: number): StepResult {
  if (isOpen(job) && !job.draw && job.rules.jobClass !== 'open')
    return end(job, job, 'the network has had nobody who could be drawn for it', now)
  if (!isOpen(job) || job.wanted === 0 || liveSeats(job).length > 0) return { job, effects: [] }
  return end(job, job, `the roster has nobody left for another ${job.wantedRole}`, now)
}

function grant(
  job: JobRecord,
  { lease, deadline, seat: taker }: Granted,
  now: number,
  rules: JobRules,
): StepResult {
  if (!mayTakeSeat(job, taker, rules))
    throw badEvent(job, `${taker.volunteer} may not take a seat`, { phase: job.phase, wanted: job.wanted })
  if (deadline <= now) throw badEvent(job, 'the deadline of the lease has passed already')
  if (job.seats.some(seat => seat.lease === lease)) throw badEvent(job, `lease ${lease} was used before`)
  const { platform, ...voice } = taker
  const number = job.seats.length + 1
  const seat: Seat = { number, lease, startedAt: now, deadline, ...voice, state: 'leased' }
  return settle({ ...job, platform }, [...job.seats, seat], now, rules)
}

function submit(job: JobRecord, event: Submitted, now: number, rules: JobRules): StepResult {
  const seat = seatForSubmission(job, event.lease, event.submission.attestation)
  if (seat === 'known') return { job, effects: [] }
  const seats = replace(job, submitted(seat, event.submission, now))
  return settle({ ...job, ballots: { ...job.ballots, [seat.lease]: event.ballot } }, seats, now, rules)
}

/**
 * The seat that raw data would be counted for; `known` when this very attestation was counted before.
 * @throws PytiError `stale-lease` | `conflict`
 */
export function seatForSubmission(job: JobRecord, lease: string, attestation: string): Seat | 'known' {
  const seat = seatOf(job, lease)
  if (seat.state === 'submitted') {
    if (seat.submission.attestation === attestation) return 'known'
    throw new PytiError('conflict', `lease ${lease} has other raw data already`)
  }
  if (!stillCounts(job, seat)) throw staleLease(job, seat)
  return seat
}

/** A live seat counts; a lost one as long as nobody else was given its place. */
function stillCounts(job: JobRecord, seat: Seat): boolean {
  if (!isOpen(job)) return false
  if (seat.state === 'leased') return true
  const others = job.seats.filter(isOccupied)
  return (
    seat.state === 'lost' &&
    hasPlace(job, seat.role) &&
    others.every(other => other.volunteer !== seat.volunteer && other.operator !== seat.operator)
  )
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

/** What they hand in from now on is not taken, late or not. */
function dismiss(job: JobRecord, volunteers: readonly string[], now: number, rules: JobRules): StepResult {
  const over = openRefereeSeats(job).filter(seat => volunteers.includes(seat.volunteer))
  if (!isOpen(job) || over.length === 0) return { job, effects: [] }
  const seats = job.seats.map(seat =>
    over.includes(seat) ? withoutRawData(seat, 'released', 'dismissed', now) : seat,
  )
  return settle(job, seats, now, rules)
}

function repeat(job: JobRecord, by: string): StepResult {
  if (job.repeatedBy !== undefined) return { job, effects: [] }
  if (job.phase !== 'agreed') throw badEvent(job, `it cannot be repeated in phase ${job.phase}`)
  return { job: { ...job, repeatedBy: by }, effects: [] }
}

function check(job: JobRecord): StepResult {
  if (job.phase === 'checked') return { job, effects: [] }
  if (job.phase !== 'agreed' || !(job.known || job.sample))
    throw badEvent(job, 'there is nothing to compare the answer with')
  return { job: { ...job, phase: 'checked' }, effects: [] }
}

function sign(job: JobRecord, report: string): StepResult {
  if (job.report === report) return { job, effects: [] }
  if (job.phase !== 'agreed' || job.report !== undefined)
    throw badEvent(job, `a report was signed in phase ${job.phase}`)
  return { job: { ...job, report }, effects: [{ type: 'publish' }] }
}

function publish(job: JobRecord, bundle: string): StepResult {
  if (job.phase === 'reported' && job.bundle === bundle) return { job, effects: [] }
  if (job.phase !== 'agreed') throw badEvent(job, `a report was published in phase ${job.phase}`)
  return { job: { ...job, phase: 'reported', bundle }, effects: [] }
}

/** Draws the consequences of a change in the seats: agreement, more seats, or the end. */
function settle(before: JobRecord, seats: Seat[], now: number, rules: JobRules): StepResult {
  const job = withClassX({ ...before, seats })
  const complaint = sharedComplaint(job, rules.fileComplaints)
  if (complaint) return end(before, job, complaint, now)
  const decision = decide(castsOf(job), job.rules)
  if (decision.kind === 'unresolved') return end(before, job, decision.reason, now)
  if (decision.kind === 'flaky') return accept(before, { ...job, flaky: true }, now)
  if (decision.kind === 'accept') return accept(before, job, now)
  const live = liveSeats(job).filter(seat => seat.role !== 'shadow')
  const missing = decision.seats - live.filter(seat => seat.role === decision.role).length
  const wanted = Math.max(0, Math.min(missing, rules.maxAttempts - seats.length))
  if (wanted === 0 && live.length === 0) return end(before, job, describeFailures(job), now)
  const occupied = live.length + submittedSeats(job).length
  const phase = occupied > 0 ? 'leased' : 'queued'
  const next: JobRecord = { ...job, wanted, wantedRole: decision.role, phase }
  return { job: next, effects: advertIfChanged(before, next) }
}

/** Agreement; newcomers that still run get as long as the slowest of the others took, so that they are checked too. */
function accept(before: JobRecord, job: JobRecord, now: number): StepResult {
  if (!job.seats.some(seat => seat.state === 'leased' && seat.role === 'shadow')) {
    const agreed: JobRecord = { ...job, phase: 'agreed', wanted: 0, seats: endLiveSeats(job, now) }
    return { job: agreed, effects: [{ type: 'publish' }, ...advertIfChanged(before, agreed)] }
  }
  const longest = Math.max(...submittedSeats(job).map(seat => seat.endedAt - seat.startedAt))
  const seats = job.seats
    .map(seat => (seat.role === 'shadow' ? seat : endLive(seat, now)))
    .map(seat =>
      seat.state === 'leased' ? { ...seat, deadline: Math.min(seat.deadline, now + longest) } : seat,
    )
  const waiting: JobRecord = { ...job, phase: 'leased', wanted: 0, seats }
  return { job: waiting, effects: advertIfChanged(before, waiting) }
}

/** What accuses needs more witnesses: one volunteer that sees harm is enough to ask for them. */
function withClassX(job: JobRecord): JobRecord {
  const { draw, rules } = job
  if (!draw || ['open', 'X', 'K'].includes(rules.jobClass)) return job
  if (!submittedSeats(job).some(seat => seat.submission.accusing)) return job
  return { ...job, rules: drawnRules(job, draw, 'X') }
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
  return job.seats.map(seat => endLive(seat, now))
}

function endLive(seat: Seat, now: number): Seat {
  return seat.state === 'leased' ? withoutRawData(seat, 'released', 'job-ended', now) : seat
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
  return { ...partsOf(seat), state: 'submitted', endedAt: now, submission }
}

function withoutRawData(
  seat: Seat,
  state: 'lost' | 'released',
  end: SeatEnd,
  now: number,
  detail?: string,
): Seat {
  const base = { ...partsOf(seat), state, endedAt: now, end }
  return detail === undefined || detail === '' ? base : { ...base, detail: detail.slice(0, 500) }
}

/** What a seat has in all its states. */
function partsOf({ number, volunteer, lease, startedAt, deadline, role, operator, weight }: Seat) {
  return { number, volunteer, lease, startedAt, deadline, role, operator, weight }
}

function staleLease(job: JobRecord, seat: Seat): PytiError {
  const why = isFinished(job) || job.phase === 'agreed' ? `the job is ${job.phase}` : `it was ${seat.state}`
  return new PytiError('stale-lease', `lease ${seat.lease} holds no longer: ${why}`)
}

function badEvent(job: JobRecord, message: string, details?: Record<string, unknown>): PytiError {
  return new PytiError('bad-event', message, { details: { job: job.id, ...details } })
}
