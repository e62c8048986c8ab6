import { z } from 'zod'
import { type Entry, formatEntry } from '../attest/log/entry.ts'
import { PytiError } from '../errors.ts'
import { createRepository, sortable } from '../store/repository.ts'
import type { Store, Write } from '../store/store.ts'

export interface CommitOptions {
  /**
   * Compare and swap: called when all earlier calls are on disk, with the index the first entry would get; what it throws
   * fails this call alone. Other calls wait meanwhile.
   */
  check?(index: number): void | Promise<void>
}

/** The leaves of the log in the store: in the same atomic batch as what caused them, with indices without holes. */
export interface Ledger {
  /** Finds out how many leaves there are; before anything else. */
  load(): Promise<void>
  /** Leaves that are on disk. */
  size(): number
  /**
   * Writes and entries are on disk, all or none, when the promise resolves. Calls that arrive while a batch is being
   * written share the next one; they resolve in the order of the calls.
   * @returns index of the first entry
   * @throws PytiError `bad-entry` | `store-failed`, after which everything is refused; what `check` throws
   */
  commit(writes: readonly Write[], entries: readonly Entry[], options?: CommitOptions): Promise<number>
  /**
   * Bytes of the entries with indices `from` (inclusive) to `to` (exclusive).
   * @throws PytiError `store-damaged` when one is missing
   */
  entries(from: number, to: number): AsyncIterable<Uint8Array>
  /** Index of the newest entry with this id. */
  find(id: string): Promise<number | undefined>
}

export interface LedgerOptions {
  store: Store
  /** Called once. Memory and disk may differ from here on, so every further commit is refused. */
  onFailure?(error: unknown): void
}

interface Call {
  writes: readonly Write[]
  leaves: { id: string; text: string }[]
  check: CommitOptions['check']
  resolve(index: number): void
  reject(error: unknown): void
}

export function createLedger({ store, onFailure }: LedgerOptions): Ledger {
  const leaves = createRepository(store, 'leaf/', z.string())
  const indices = createRepository(store, 'leaf-of/', z.int().min(0))
  let size: number | undefined
  const waiting: Call[] = []
  let writing = false
  let failure: { cause: unknown } | undefined

  const sizeNow = (): number => {
    if (size === undefined) throw new PytiError('ledger-not-loaded', 'the ledger was not loaded yet')
    return size
  }

  /** Calls for one batch: the first one, and those behind it that have no check of their own. */
  const takeGroup = (): Call[] => {
    const end = waiting.findIndex((call, at) => at > 0 && call.check !== undefined)
    return waiting.splice(0, end === -1 ? waiting.length : end)
  }

  const checked = async (group: Call[]): Promise<Call[]> => {
    const [first, ...others] = group
    if (!first?.check) return group
    try {
      await first.check(sizeNow())
      return group
    } catch (error) {
      first.reject(error)
      return others
    }
  }

  const writeGroup = async (group: readonly Call[]) => {
    const batch: Write[] = []
    const firsts: number[] = []
    let next = sizeNow()
    for (const call of group) {
      firsts.push(next)
      for (const write of call.writes) batch.push(write)
      for (const { id, text } of call.leaves) {
        batch.push(leaves.put(sortable(next), text), indices.put(id, next))
        next += 1
      }
    }
    try {
      await store.batch(batch)
    } catch (cause) {
      failure = { cause }
      for (const call of group) call.reject(notStored(cause))
      onFailure?.(cause)
      return
    }
    size = next
    for (const [at, call] of group.entries()) call.resolve(firsts[at] ?? next)
  }

  const writeAll = async () => {
    writing = true
    // Calls of the same turn share the first batch too.
    await Promise.resolve()
    while (waiting.length > 0) {
      const group = await checked(takeGroup())
      if (failure) for (const call of group) call.reject(failedBefore(failure.cause))
      else await writeGroup(group)
    }
    writing = false
  }

  return {
    async load() {
      size = 0
      for await (const [id] of leaves.entries({ reverse: true, limit: 1 })) size = Number(id) + 1
      if (!Number.isSafeInteger(size)) throw damaged('the last leaf has no proper number')
    },
    size: sizeNow,
    async commit(writes, entries, { check } = {}) {
      sizeNow()
      if (failure) throw failedBefore(failure.cause)
      const formatted = entries.map(entry => ({ id: entry.id, text: textOf(entry) }))
      return new Promise((resolve, reject) => {
        waiting.push({ writes, leaves: formatted, check, resolve, reject })
        if (!writing) void writeAll()
      })
    },
    async *entries(from, to) {
      let next = from
      while (next < to) {
        const digits = widestBlock(next, to)
        if (digits === 0) yield bytesOf(await leaves.get(sortable(next)), next++)
        else
          for await (const [id, text] of leaves.entries({ under: sortable(next).slice(0, -digits) })) {
            if (id !== sortable(next)) throw damaged(`leaf ${next} is not there`)
            yield bytesOf(text, next++)
          }
        if (digits > 0 && next % 10 ** digits !== 0) throw damaged(`leaf ${next} is not there`)
      }
    },
    find: id => indices.get(id),
  }
}

/** Powers of ten: the largest aligned block that begins at `from` and ends by `to`, as the store lists by prefix. */
function widestBlock(from: number, to: number): number {
  let digits = 0
  while (digits < 4 && from % 10 ** (digits + 1) === 0 && from + 10 ** (digits + 1) <= to) digits += 1
  return digits
}

function textOf(entry: Entry): string {
  return Buffer.from(formatEntry(entry)).toString('utf8')
}

function bytesOf(text: string | undefined, index: number): Uint8Array {
  if (text === undefined) throw damaged(`leaf ${index} is not there`)
  return Buffer.from(text)
}

function notStored(cause: unknown): PytiError {
  return new PytiError('store-failed', 'a change could not be stored', {
    hint: 'check the disk, then restart the coordinator',
    cause,
  })
}

function failedBefore(cause: unknown): PytiError {
  return new PytiError('store-failed', 'the store has failed before', {
    hint: 'restart the coordinator',
    cause,
  })
}

function damaged(what: string): PytiError {
  return new PytiError('store-damaged', `the store is damaged: ${what}`, {
    hint: 'put back a copy of the data directory',
  })
}
