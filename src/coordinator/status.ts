import type { JobStatus } from '../wire/commands.ts'
import { demandedBackend } from '../wire/job.ts'
import type { Roster } from './roster.ts'
import { isFinished, isOccupied, type JobRules, mayTakeSeat, type Seat, type StoredJob } from './state.ts'
import { takerOf } from './taker.ts'

/** What anyone may know about a job. Ballots and digests stay inside until the report is out. */
export function statusOf(record: StoredJob, roster: Roster, rules: JobRules): JobStatus {
  const { id, job, phase, bundle } = record
  const missing = missingVolunteers(record, roster, rules)
  // Whoever knows the other seats of a drawn job knows when a lie would go through.
  const hidden = record.rules.jobClass !== 'open' && !isFinished(record)
  const reason = record.reason ?? lackOf(record, missing)
  return {
    job: id,
    subject: job.subject,
    phase,
    seats: hidden
      ? []
      : record.seats.map(seat => ({ volunteer: seat.volunteer, state: seat.state, ...detailOf(seat) })),
    wantsVolunteers: hidden ? 0 : missing,
    ...(reason === undefined ? {} : { reason }),
    ...(bundle === undefined ? {} : { bundle }),
  }
}

/** Open seats that no volunteer connected now may take. */
function missingVolunteers(record: StoredJob, roster: Roster, rules: JobRules): number {
  let missing = record.wanted
  for (const [volunteer, introduction] of roster.volunteers(record.job.profile)) {
    if (missing === 0) break
    if (mayTakeSeat(record, takerOf(record, volunteer, introduction), rules)) missing -= 1
  }
  return missing
}

/** What volunteers would have to have for this job to go on. */
function lackOf({ job, platform, seats }: StoredJob, missing: number): string | undefined {
  const demanded = seats.some(isOccupied) ? platform : demandedBackend(job.profile)
  if (missing === 0 || demanded === undefined) return undefined
  return `needs ${missing === 1 ? 'a volunteer' : `${missing} volunteers`} with ${demanded}`
}

function detailOf(seat: Seat): { detail?: string } {
  if (seat.state === 'leased' || seat.state === 'submitted') return {}
  return { detail: (seat.detail === undefined ? seat.end : `${seat.end}: ${seat.detail}`).slice(0, 500) }
}
