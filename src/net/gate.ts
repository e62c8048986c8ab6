/** Lets at most `size` callers in at once; the others wait in order. */
export class Gate {
  readonly #size: number
  readonly #waiting: (() => void)[] = []
  #inside = 0

  constructor(size: number) {
    this.#size = size
  }

  get isEmpty(): boolean {
    return this.#inside === 0
  }

  /** @returns what the caller must call once to leave; rejects with the signal's reason when that fires first */
  async enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#inside < this.#size) this.#inside += 1
    else await this.#turn(signal)
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#waiting.shift()
      // The place is handed over, so that nobody overtakes.
      if (next) next()
      else this.#inside -= 1
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(signal?.reason)
      }
      this.#waiting.push(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}

/** One gate per key, forgotten when nobody is inside. */
export class Gates {
  readonly #gates = new Map<string, Gate>()

  async enter(key: string, size: number, signal?: AbortSignal): Promise<() => void> {
    const gate = this.#gates.get(key) ?? new Gate(size)
    this.#gates.set(key, gate)
    const leave = await gate.enter(signal)
    return () => {
      leave()
      if (gate.isEmpty && this.#gates.get(key) === gate) this.#gates.delete(key)
    }
  }
}
