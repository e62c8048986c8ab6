import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Jobs } from './jobs.ts'
import type { Offers } from './offers.ts'
import type { Room } from './room.ts'
import type { Roster } from './roster.ts'

export interface TimerOptions {
  jobs: Jobs
  roster: Roster
  clock: Clock
  log: Logger
  config: CoordinatorConfig
  offers: Offers
  room: Room
  /** Tries a report that could not be made before. */
  publish(job: string): void
  /** Brings roster, log and draws up to date. */
  keepLog(): void
}

/** The one timer loop: deadlines, lost volunteers, reports still to be made. Ends when the signal fires. */
export async function runTimers(options: TimerOptions, signal: AbortSignal): Promise<void> {
  const { clock, config, log } = options
  while (!signal.aborted) {
    await clock.sleep(config.tickMs, signal).catch(() => undefined)
    if (signal.aborted) return
    await tick(options).catch(error => log.error('timer loop failed', { error: messageOf(error) }))
  }
}

async function tick(options: TimerOptions): Promise<void> {
  const { jobs, roster, clock, log, publish, offers, room } = options
  const now = clock.now()
  for (const { job, lease, volunteer, deadline } of [...jobs.leases()]) {
    const lost = roster.isLost(volunteer, now)
    if (deadline > now && !lost) continue
    log.info('lease lost', { job, lease, volunteer, why: lost ? 'disconnected' : 'deadline' })
    await jobs.apply(
      job,
      lost ? { type: 'volunteer-lost', lease, end: 'disconnected' } : { type: 'lease-expired', lease },
    )
  }
  roster.forgetLost(now)
  const isRoom = await room.isThere()
  for (const record of [...jobs.unfinished()]) {
    if (record.phase === 'agreed') publish(record.id)
    if (!isRoom) {
      // Nobody can take a turn meanwhile: it begins again afterwards.
      offers.forget(record.id)
      continue
    }
    const absent = record.draw ? offers.absent(record) : []
    if (absent.length > 0) await jobs.apply(record.id, { type: 'passed-over', volunteers: absent })
    else if (offers.exhausted(record)) await jobs.apply(record.id, { type: 'exhausted' })
  }
  options.keepLog()
}
