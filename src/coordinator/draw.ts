import type { Clock } from '../clock.ts'
import { isCode } from '../errors.ts'
import { backendFor, type Lease } from '../wire/job.ts'
import { type CoordinatorConfig, leaseMs } from './config.ts'
import type { Jobs } from './jobs.ts'
import type { Random } from './new-job.ts'
import type { Offers } from './offers.ts'
import type { Introduction } from './roster.ts'
import { type JobRecord, mayTakeSeat, type SeatTaker } from './state.ts'
import { takerOf } from './taker.ts'

export interface DrawOptions {
  jobs: Jobs
  clock: Clock
  random: Random
  config: CoordinatorConfig
  offers: Offers
}

/**
 * Gives a volunteer up to `want` leases of jobs it has the backend for, oldest first, never two seats of one job, never more
 * leases than it has slots; of drawn jobs only where it is its turn. Calls for one volunteer must not overlap.
 */
export async function drawLeases(
  volunteer: string,
  introduction: Introduction,
  want: number,
  { jobs, clock, random, config, offers }: DrawOptions,
): Promise<Lease[]> {
  let held = 0
  for (const lease of jobs.leases()) if (lease.volunteer === volunteer) held += 1
  const most = Math.min(want, introduction.slots - held)
  const leases: Lease[] = []

  const grant = async (record: JobRecord, seat: SeatTaker): Promise<void> => {
    const { profile } = record.job
    const backend = backendFor(profile, introduction.backends)
    if (backend === undefined || !mayTakeSeat(record, seat, config)) return
    const id = Buffer.from(random(16)).toString('hex')
    const deadline = clock.now() + leaseMs(profile, backend, config)
    try {
      await jobs.apply(record.id, { type: 'lease-granted', lease: id, deadline, seat })
    } catch (error) {
      // Another volunteer was faster while this step waited for its turn.
      if (isCode(error, 'bad-event')) return
      throw error
    }
    leases.push({ id, job: record.job, remainingMs: Math.max(0, deadline - clock.now()) })
  }

  for (const record of jobs.unfinished()) {
    if (leases.length >= most) break
    const isOpenClass = record.rules.jobClass === 'open'
    const seat = isOpenClass ? takerOf(record, volunteer, introduction) : offers.seatFor(record, volunteer)
    if (seat) await grant(record, seat)
  }
  return leases
}
