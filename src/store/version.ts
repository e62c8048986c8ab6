import { z } from 'zod'
import { PytiError } from '../errors.ts'
import type { Store } from './store.ts'

const key = 'meta/schema'
const Version = z.strictObject({ version: z.int().min(1) })

/** The form of the keys and values this program writes. */
export const schemaVersion = 2

/**
 * Makes sure that the store was written by this version, before anything else is read. An empty store is marked.
 * @throws PytiError `store-too-new` | `store-too-old` | `store-foreign`
 */
export async function checkSchemaVersion(store: Store, expected = schemaVersion): Promise<void> {
  const value = await store.get(key)
  if (value === undefined) {
    for await (const [first] of store.entries('', { limit: 1 }))
      throw new PytiError('store-foreign', `the store has data (${first}) but no version mark`, {
        hint: 'point to an empty directory or to one that was written by this program',
      })
    return store.batch([{ type: 'put', key, value: { version: expected } }])
  }
  const parsed = Version.safeParse(value)
  if (!parsed.success)
    throw new PytiError('store-foreign', 'the version mark of the store cannot be read', {
      hint: 'point to an empty directory or to one that was written by this program',
      cause: parsed.error,
    })
  const { version } = parsed.data
  if (version === expected) return
  const details = { found: version, expected }
  if (version > expected)
    throw new PytiError('store-too-new', `the store has version ${version}, this program knows ${expected}`, {
      hint: 'run the newer program that wrote it',
      details,
    })
  throw new PytiError('store-too-old', `the store has version ${version}, this program needs ${expected}`, {
    hint: 'migrate it with the program version in between, or start with an empty directory',
    details,
  })
}
