/** A token bucket: `burst` at once, then `perSecond` on average. */
export interface Rate {
  burst: number
  perSecond: number
}

/** How many peers are remembered: their ids are free, memory is not. */
const maxPeers = 10_000
const token = 1_000

/** One token bucket per peer id. It outlives the connection, so reconnecting does not fill it. */
export class Quota {
  readonly #rate: Rate
  readonly #now: () => number
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(rate: Rate, now: () => number) {
    this.#rate = rate
    this.#now = now
  }

  /** Takes one token. @returns 0, or the milliseconds until there is one */
  take(peer: string): number {
    const now = this.#now()
    // Counted in thousandths of a token, which stay whole numbers.
    const { burst, perSecond } = this.#rate
    const full = burst * token
    const old = this.#buckets.get(peer) ?? { tokens: full, at: now }
    const tokens = Math.min(full, old.tokens + Math.max(0, now - old.at) * perSecond)
    const enough = tokens >= token
    // Put back last: the first key is then the one unused for longest.
    this.#buckets.delete(peer)
    this.#buckets.set(peer, { tokens: enough ? tokens - token : tokens, at: now })
    if (this.#buckets.size > maxPeers) this.#forgetOldest()
    return enough ? 0 : Math.ceil((token - tokens) / perSecond)
  }

  #forgetOldest(): void {
    for (const peer of this.#buckets.keys()) {
      this.#buckets.delete(peer)
      return
    }
  }
}
