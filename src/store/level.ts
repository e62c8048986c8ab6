import { mkdir } from 'node:fs/promises'
import { Level } from 'level'
import { messageOf, PytiError } from '../errors.ts'
import { diskTrouble, diskTroubleIn } from '../host-disk.ts'
import { toJson } from './json.ts'
import type { Store } from './store.ts'

type Operation = { type: 'put'; key: string; value: string } | { type: 'del'; key: string }

/** Above every key: keys are ASCII text. */
const last = '\uffff'

/**
 * Opens the store in a directory, which is made when missing. Each batch is synced to disk before its promise
 * resolves. After a batch that failed the store is opened anew before anything else.
 * @throws PytiError `store-locked` | `store-damaged` | `store-unavailable` | `host-out-of-disk` | `host-disk-unusable`
 */
export async function openLevelStore(dir: string): Promise<Store> {
  let db = await open(dir)
  /** Why the last batch failed, until the store was opened anew. */
  let tornBy: unknown
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One after the other: what is written behind a batch that failed in the middle is lost at the next start. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }
  const write = async (operations: Operation[]) => {
    try {
      if (tornBy !== undefined && !closed) {
        await db.close()
        db = await open(dir)
        tornBy = undefined
      }
      await db.batch(operations, { sync: true })
    } catch (error) {
      tornBy = error
      throw error
    }
  }
  const during = async <T>(work: () => T | Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      // It could not be opened anew, and is closed meanwhile.
      throw explain(dir, closed ? error : (tornBy ?? error))
    }
  }

  return {
    async get(key) {
      const text = await during(() => db.get(key))
      return text === undefined ? undefined : fromJson(dir, key, text)
    },
    async batch(writes) {
      const operations = writes.map(
        (write): Operation =>
          write.type === 'put'
            ? { type: 'put', key: write.key, value: toJson(write.key, write.value) }
            : { type: 'del', key: write.key },
      )
      if (operations.length > 0) await during(() => inTurn(() => write(operations)))
    },
    async *entries(prefix, options = {}) {
      const { limit, after } = options
      const from = after !== undefined && after >= prefix ? { gt: after } : { gte: prefix }
      const range = { ...from, lt: prefix + last, reverse: options.reverse ?? false }
      const iterator = await during(() => db.iterator(limit === undefined ? range : { ...range, limit }))
      try {
        for (;;) {
          const entry = await during(() => iterator.next())
          if (!entry) return
          yield [entry[0], fromJson(dir, entry[0], entry[1])]
        }
      } finally {
        await iterator.close()
      }
    },
    close: () =>
      inTurn(async () => {
        closed = true
        await db.close()
      }),
  }
}

async function open(dir: string): Promise<Level<string, string>> {
  const db = new Level<string, string>(dir, { valueEncoding: 'utf8' })
  try {
    await mkdir(dir, { recursive: true })
    await db.open()
    return db
  } catch (error) {
    throw explain(dir, error)
  }
}

function fromJson(dir: string, key: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw damaged(dir, `the value of ${key} is not JSON`, cause)
  }
}

function explain(dir: string, error: unknown): PytiError {
  const codes = codesOf(error)
  if (codes.includes('LEVEL_LOCKED'))
    return new PytiError('store-locked', `another process is running on ${dir}`, {
      hint: 'stop the other process first, or give this one a data directory of its own',
      cause: error,
    })
  const trouble = diskTrouble(error) ?? diskTroubleIn(rootMessage(error), error)
  if (trouble) return trouble
  if (codes.includes('LEVEL_CORRUPTION')) return damaged(dir, rootMessage(error), error)
  if (codes.includes('LEVEL_DATABASE_NOT_OPEN') && !hasCause(error))
    return new PytiError('store-closed', 'the store is closed', { cause: error })
  return new PytiError('store-unavailable', `cannot use the store in ${dir}: ${rootMessage(error)}`, {
    hint: 'check that the directory can be written to and that the disk is not full',
    cause: error,
  })
}

function damaged(dir: string, what: string, cause: unknown): PytiError {
  return new PytiError('store-damaged', `the store in ${dir} is damaged: ${what}`, {
    hint: 'put back a copy of the directory, or move it away to start with an empty one',
    cause,
  })
}

function hasCause(error: unknown): boolean {
  return error instanceof Error && error.cause !== undefined
}

/** Codes of an error and of what caused it, outermost first: level wraps the reason in `LEVEL_DATABASE_NOT_OPEN`. */
function codesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : []
  return [...own, ...codesOf(error.cause)]
}

function rootMessage(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? rootMessage(error.cause) : messageOf(error)
}
