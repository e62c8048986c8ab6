import { messageOf } from '../errors.ts'
import type { Logger } from '../logger.ts'

/** Everything that goes on at the moment, so that a stop can wait until it is done. */
export interface Background {
  /** Work nobody waits for: its failures are logged. */
  start(what: string, work: () => Promise<void>): void
  /** Work somebody else waits for, failures included. */
  during<T>(work: Promise<T>): Promise<T>
  idle(): Promise<void>
}

export function createBackground(log: Logger): Background {
  const running = new Set<Promise<void>>()
  const add = (task: Promise<void>) => {
    running.add(task)
    void task.finally(() => running.delete(task))
  }
  return {
    start: (what, work) =>
      add(work().catch(error => log.error('background work failed', { what, error: messageOf(error) }))),
    during(work) {
      add(
        work.then(
          () => undefined,
          () => undefined,
        ),
      )
      return work
    },
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
