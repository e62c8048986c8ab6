import type { z } from 'zod'
import { PytiError } from '../errors.ts'
import type { Store, Write } from './store.ts'

/** Values of one kind under one key prefix. Changes are returned as writes, so that one batch can span several. */
export interface Repository<T> {
  get(id: string): Promise<T | undefined>
  put(id: string, value: T): Write
  remove(id: string): Write
  /** In the order of their ids; `under` narrows to ids that begin so, `after` to those that come after this one. */
  entries(options?: {
    under?: string
    reverse?: boolean
    limit?: number
    after?: string
  }): AsyncIterable<[string, T]>
}

/**
 * Checks every value against the schema on its way out: what lies on a disk is input like any other.
 * Reading throws PytiError `store-damaged` when it does not fit.
 * @param prefix begins the keys, ends in `/`
 */
export function createRepository<T>(store: Store, prefix: string, schema: z.ZodType<T>): Repository<T> {
  const check = (key: string, value: unknown): T => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new PytiError('store-damaged', `the stored value of ${key} does not have the expected form`, {
      hint: 'put back a copy of the data directory; a program of another version may have written this one',
      cause: parsed.error,
    })
  }
  return {
    async get(id) {
      const value = await store.get(prefix + id)
      return value === undefined ? undefined : check(prefix + id, value)
    },
    put: (id, value) => ({ type: 'put', key: prefix + id, value }),
    remove: id => ({ type: 'delete', key: prefix + id }),
    async *entries({ under = '', after, ...limits } = {}) {
      const options = after === undefined ? limits : { ...limits, after: prefix + after }
      for await (const [key, value] of store.entries(prefix + under, options))
        yield [key.slice(prefix.length), check(key, value)]
    },
  }
}

/** Number as text whose alphabetical order is the numerical one, for ids; up to 2^53. */
export function sortable(value: number): string {
  return String(value).padStart(16, '0')
}
