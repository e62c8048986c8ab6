import type { Clock } from '../clock.ts'
import type { RoomCheck } from '../host-disk.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from '../net/command-error.ts'
import type { CoordinatorConfig } from './config.ts'

/**
 * Whether there is room for new work on the disk. What is under way goes on: there is room kept back for it, so that the store,
 * which must not fail, is the last to meet a full disk.
 */
export interface Room {
  isThere(): Promise<boolean>
  /** @throws CommandError `BUSY` when there is none */
  demand(): Promise<void>
}

export interface RoomOptions {
  lackOfRoom?: RoomCheck
  clock: Clock
  log: Logger
  config: Pick<CoordinatorConfig, 'retryAfterMs'>
}

/** How long an answer holds. */
const lookMs = 10_000

export function createRoom({ lackOfRoom, clock, log, config }: RoomOptions): Room {
  let isRoom = true
  let lookedAt = Number.NEGATIVE_INFINITY

  const isThere = async (): Promise<boolean> => {
    if (!lackOfRoom || clock.now() - lookedAt < lookMs) return isRoom
    lookedAt = clock.now()
    const lack = await lackOfRoom()
    if (lack && isRoom) log.error('no new work is taken', { reason: lack.message, hint: lack.hint ?? '' })
    if (!lack && !isRoom) log.info('there is room again: new work is taken')
    isRoom = lack === undefined
    return isRoom
  }

  return {
    isThere,
    async demand() {
      if (await isThere()) return
      const { retryAfterMs } = config
      throw new CommandError('BUSY', 'the coordinator has no room on its disk for new work', { retryAfterMs })
    },
  }
}
