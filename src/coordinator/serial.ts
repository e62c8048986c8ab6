/** Runs work that shares a key one after the other, in the order asked; different keys do not wait for each other. */
export interface Serial {
  run<T>(key: string, work: () => Promise<T>): Promise<T>
  /** Resolves when nothing is waiting or running. */
  idle(): Promise<void>
}

export function createSerial(): Serial {
  const tails = new Map<string, Promise<unknown>>()
  return {
    run(key, work) {
      const before = tails.get(key) ?? Promise.resolve()
      const result = before.then(work)
      const tail = result.then(
        () => undefined,
        () => undefined,
      )
      tails.set(key, tail)
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key)
      })
      return result
    },
    async idle() {
      while (tails.size > 0) await Promise.all(tails.values())
    },
  }
}
