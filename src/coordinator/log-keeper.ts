import { messageOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Background } from './background.ts'
import { type BeaconOptions, createDraws } from './beacon.ts'
import type { Jobs } from './jobs.ts'
import { createAudits, type KnownOptions, tryRings } from './known.ts'
import { createRechecks, type RecheckOptions } from './recheck.ts'
import type { Records } from './records.ts'
import type { Trust } from './trust.ts'

export interface LogKeeperOptions extends BeaconOptions, RecheckOptions, KnownOptions {
  jobs: Jobs
  records: Records
  trust: Trust
  background: Background
  log: Logger
}

/**
 * Keeps roster, public log and draws up to what is committed.
 * @returns makes one pass unless one is under way
 */
export function createLogKeeper(options: LogKeeperOptions): () => void {
  const { trust, publicLog, background, log } = options
  const recheck = createRechecks(options)
  const audit = createAudits(options)
  const draw = createDraws(options)
  let running = false

  const pass = async () => {
    try {
      await trust.refresh()
      await recheck()
      await audit()
      await tryRings(options)
      if (publicLog.ledger.size() > publicLog.sequencer.size()) await publicLog.settle()
      await draw()
    } catch (error) {
      // The next tick tries again; jobs wait meanwhile.
      log.warn('the log could not be brought up to date', { error: messageOf(error) })
    } finally {
      running = false
    }
  }

  return () => {
    if (running) return
    running = true
    background.start('keeping the log', pass)
  }
}
