import type { Repository } from '../store/repository.ts'

/**
 * Looks at the entries of a repository some at a time, each look where the last one ended and in the end from the start again:
 * those about which nothing can be done yet hold up nobody. Only the place is kept, in memory.
 * @returns the next ones, `most` of them at most
 */
export function inTurn<T>(repository: Repository<T>, most: number): () => Promise<[string, T][]> {
  let last: string | undefined
  return async () => {
    const found: [string, T][] = []
    const from = last === undefined ? {} : { after: last }
    for await (const entry of repository.entries({ ...from, limit: most })) found.push(entry)
    last = found.length < most ? undefined : found.at(-1)?.[0]
    return found
  }
}
