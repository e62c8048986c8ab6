import type { Clock } from '../../src/clock.ts'

export interface ManualClock extends Clock {
  /** Moves the time on and wakes sleepers in the order of their moments, letting each of them act. */
  advance(ms: number): Promise<void>
}

interface Sleeper {
  at: number
  wake(): void
}

/** Time that moves only when told to. */
export function createManualClock(start = Date.UTC(2026, 10, 20, 12)): ManualClock {
  let now = start
  const sleepers = new Set<Sleeper>()
  const next = (until: number): Sleeper | undefined =>
    [...sleepers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]

  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const stop = () => {
          sleepers.delete(sleeper)
          reject(signal?.reason)
        }
        const sleeper: Sleeper = {
          at: now + ms,
          wake() {
            sleepers.delete(sleeper)
            signal?.removeEventListener('abort', stop)
            resolve()
          },
        }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', stop, { once: true })
      }),
    async advance(ms) {
      const until = now + ms
      for (let sleeper = next(until); sleeper; sleeper = next(until)) {
        now = Math.max(now, sleeper.at)
        sleeper.wake()
        await settled()
      }
      now = until
      await settled()
    },
  }
}

/** Calls of WebCrypto under way. It works in threads, so no number of turns tells that it is done. */
let underWay = 0
for (const name of ['importKey', 'verify'] as const) {
  const { subtle } = crypto
  const original = subtle[name]
  const counted = async (...args: unknown[]) => {
    underWay += 1
    try {
      return await Reflect.apply(original, subtle, args)
    } finally {
      underWay -= 1
    }
  }
  Object.defineProperty(subtle, name, { value: counted })
}

/** Lets everything run that waits for nothing but its turn or a signature. */
export async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet = underWay > 0 ? 0 : quiet + 1)
    await new Promise(resolve => setImmediate(resolve))
}

/** Waits for work that goes through the disk. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await condition()) return
    await new Promise(resolve => setImmediate(resolve))
  }
  throw new Error(`never happened: ${what}`)
}
