import type { JobStatus } from '../wire/commands.ts'
import type { Roster } from './roster.ts'
import { type JobRules, mayTakeSeat, type Seat, type StoredJob } from './state.ts'

/** What anyone may know about a job. Ballots and digests stay inside until the report is out. */
export function statusOf(record: StoredJob, roster: Roster, rules: JobRules): JobStatus {
  const { id, job, phase, reason, bundle } = record
  return {
    job: id,
    subject: job.subject,
    phase,
    seats: record.seats.map(seat => ({ volunteer: seat.volunteer, state: seat.state, ...detailOf(seat) })),
    wantsVolunteers: missingVolunteers(record, roster, rules),
    ...(reason === undefined ? {} : { reason }),
    ...(bundle === undefined ? {} : { bundle }),
  }
}

/** Open seats that no volunteer connected now may take. */
function missingVolunteers(record: StoredJob, roster: Roster, rules: JobRules): number {
  let missing = record.wanted
  for (const volunteer of roster.volunteers()) {
    if (missing === 0) break
    if (mayTakeSeat(record, volunteer, rules)) missing -= 1
  }
  return missing
}

function detailOf(seat: Seat): { detail?: string } {
  if (seat.state === 'leased' || seat.state === 'submitted') return {}
  return { detail: (seat.detail === undefined ? seat.end : `${seat.end}: ${seat.detail}`).slice(0, 500) }
}
