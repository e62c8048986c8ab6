import type { Clock } from '../../src/clock.ts'

/** Simulated time: a queue of events, and nothing that happens by itself. */
export interface SimQueue {
  now(): number
  /** @returns takes the event out again */
  after(ms: number, what: string, act: () => void): () => void
  /** Runs the next event and everything that follows from it at once. @returns what it was, undefined when there is none */
  next(): Promise<string | undefined>
  /** The machine slept: time passes without anything happening, then all that is due happens late. */
  jump(ms: number): void
}

interface SimEvent {
  at: number
  order: number
  what: string
  act(): void
}

export function createSimQueue(start = Date.UTC(2026, 10, 20, 12)): SimQueue {
  const heap: SimEvent[] = []
  let now = start
  let count = 0
  const before = (a: SimEvent, b: SimEvent) => a.at < b.at || (a.at === b.at && a.order < b.order)

  const push = (event: SimEvent) => {
    let at = heap.push(event) - 1
    for (let up = (at - 1) >> 1; at > 0; at = up, up = (at - 1) >> 1) {
      const parent = heap[up]
      if (!parent || before(parent, event)) break
      heap[at] = parent
      heap[up] = event
    }
  }
  const pop = (): SimEvent | undefined => {
    const [first] = heap
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      const smaller = right && left && before(right, left) ? right : left
      if (!smaller || before(last, smaller)) break
      heap[at] = smaller
      at = 2 * at + (smaller === left ? 1 : 2)
    }
    heap[at] = last
    return first
  }

  return {
    now: () => now,
    after(ms, what, act) {
      const event = { at: now + Math.max(0, Math.round(ms)), order: count++, what, act }
      push(event)
      return () => {
        event.what = ''
      }
    },
    async next() {
      let event = pop()
      while (event?.what === '') event = pop()
      if (!event) return undefined
      now = Math.max(now, event.at)
      event.act()
      await settle()
      return event.what
    },
    jump: ms => {
      now += ms
    },
  }
}

/**
 * Promises settle in an order of their own, the same in every run, before the next turn of the loop: nothing here waits for a
 * thread, a file or a socket (`sim-signatures.ts`).
 */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** One life of a program: what it waits for never comes once it is dead. */
export interface SimProcess {
  readonly alive: boolean
  readonly clock: Clock
  after(ms: number, what: string, act: () => void): () => void
  kill(): void
}

export function startProcess(queue: SimQueue, name: string): SimProcess {
  let alive = true
  const after: SimProcess['after'] = (ms, what, act) =>
    queue.after(ms, what, () => {
      if (alive) act()
    })
  return {
    get alive() {
      return alive
    },
    after,
    kill: () => {
      alive = false
    },
    clock: {
      now: queue.now,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason)
          const stop = () => {
            cancel()
            reject(signal?.reason)
          }
          const cancel = after(ms, `${name} wakes`, () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          })
          signal?.addEventListener('abort', stop, { once: true })
        }),
    },
  }
}
