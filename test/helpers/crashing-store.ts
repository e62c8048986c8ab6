import type { Store } from '../../src/store/store.ts'

export interface CrashingStore extends Store {
  /** Batches asked for so far. */
  count(): number
}

/**
 * A store whose process dies at one batch: `before` it is written, or `after` it, when nobody hears of it any more.
 * Every later batch fails too.
 * @param at which batch, from 1; never without it
 */
export function createCrashingStore(
  inner: Store,
  mode: 'before' | 'after' = 'before',
  at?: number,
): CrashingStore {
  let count = 0
  return {
    get: key => inner.get(key),
    entries: (prefix, options) => inner.entries(prefix, options),
    close: () => inner.close(),
    count: () => count,
    async batch(writes) {
      count += 1
      if (at === undefined || count < at) return inner.batch(writes)
      if (count === at && mode === 'after') await inner.batch(writes)
      throw new Error(`the process died at batch ${at}`)
    },
  }
}
