import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isCode } from '../../src/errors.ts'
import type { Store, Write } from '../../src/store/store.ts'

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

/** What every store must do, whatever it keeps its data in. */
export function runStoreContract(
  name: string,
  withStore: (use: (store: Store) => Promise<void>) => Promise<void>,
) {
  describe(`store contract: ${name}`, () => {
    const test = (what: string, use: (store: Store) => Promise<void>) => it(what, () => withStore(use))

    test('gives undefined for an unknown key', async store => {
      assert.equal(await store.get('nothing'), undefined)
    })

    test('keeps JSON values apart from the objects that were put', async store => {
      const value = { list: [1, 'two', null, false], deep: { text: 'ä\n' } }
      await store.batch([{ type: 'put', key: 'a', value }])
      value.list.push(2)
      assert.deepEqual(await store.get('a'), { list: [1, 'two', null, false], deep: { text: 'ä\n' } })
    })

    test('applies the writes of a batch in order', async store => {
      await store.batch([
        { type: 'put', key: 'a', value: 1 },
        { type: 'put', key: 'b', value: 2 },
        { type: 'delete', key: 'a' },
        { type: 'put', key: 'b', value: 3 },
        { type: 'delete', key: 'never-there' },
      ])
      assert.equal(await store.get('a'), undefined)
      assert.equal(await store.get('b'), 3)
    })

    test('takes an empty batch', store => store.batch([]))

    test('does nothing at all when one value of a batch has no JSON form', async store => {
      await assert.rejects(
        store.batch([
          { type: 'put', key: 'a', value: 1 },
          { type: 'put', key: 'b', value: undefined },
        ]),
        error => isCode(error, 'not-json'),
      )
      assert.equal(await store.get('a'), undefined)
    })

    test('lists by prefix, in order, reversed and limited', async store => {
      const keys = ['p/1', 'p/10', 'p/2', 'p', 'p0', 'q/1', 'o/9']
      await store.batch(keys.map(key => ({ type: 'put', key, value: key })))
      const list = async (options?: { reverse?: boolean; limit?: number; after?: string }) =>
        (await collect(store.entries('p/', options))).map(([key]) => key)
      assert.deepEqual(await list(), ['p/1', 'p/10', 'p/2'])
      assert.deepEqual(await list({ reverse: true }), ['p/2', 'p/10', 'p/1'])
      assert.deepEqual(await list({ limit: 2 }), ['p/1', 'p/10'])
      assert.deepEqual(await list({ reverse: true, limit: 1 }), ['p/2'])
      assert.deepEqual(await list({ limit: 0 }), [])
      assert.deepEqual(await list({ after: 'p/1' }), ['p/10', 'p/2'])
      assert.deepEqual(await list({ after: 'p/11', limit: 1 }), ['p/2'])
      assert.deepEqual(await list({ after: 'p/10', reverse: true }), ['p/2'])
      assert.deepEqual(await list({ after: 'p/2' }), [])
      assert.deepEqual(await list({ after: 'o/9' }), ['p/1', 'p/10', 'p/2'])
      assert.deepEqual(await list({ after: 'q' }), [])
      assert.equal((await collect(store.entries(''))).length, keys.length)
    })

    test('lists what was there when the listing began', async store => {
      await store.batch([
        { type: 'put', key: 'k/1', value: 1 },
        { type: 'put', key: 'k/2', value: 2 },
      ])
      const seen: string[] = []
      for await (const [key] of store.entries('k/')) {
        seen.push(key)
        await store.batch([
          { type: 'delete', key: 'k/2' },
          { type: 'put', key: 'k/3', value: 3 },
        ])
      }
      assert.deepEqual(seen, ['k/1', 'k/2'])
    })

    test('can stop a listing early', async store => {
      await store.batch([1, 2, 3].map(n => ({ type: 'put', key: `e/${n}`, value: n })))
      for await (const [key] of store.entries('e/')) {
        assert.equal(key, 'e/1')
        break
      }
      await store.batch([{ type: 'delete', key: 'e/1' }])
    })

    test('refuses work after it was closed, and can be closed twice', async store => {
      await store.close()
      await store.close()
      const closed = (error: unknown) => isCode(error, 'store-closed')
      await assert.rejects(store.get('a'), closed)
      await assert.rejects(store.batch([{ type: 'put', key: 'a', value: 1 }]), closed)
      await assert.rejects(collect(store.entries('')), closed)
    })

    it('behaves like a sorted map under random batches', async () => {
      const key = fc.stringMatching(/^[a-c/]{0,4}$/)
      const write: fc.Arbitrary<Write> = fc.oneof(
        fc.record({ type: fc.constant('put' as const), key: key.filter(k => k !== ''), value: fc.integer() }),
        fc.record({ type: fc.constant('delete' as const), key: key.filter(k => k !== '') }),
      )
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(write, { maxLength: 8 }), { maxLength: 8 }),
          key,
          (batches, prefix) =>
            withStore(async store => {
              const model = new Map<string, unknown>()
              for (const writes of batches) {
                await store.batch(writes)
                for (const change of writes)
                  if (change.type === 'put') model.set(change.key, change.value)
                  else model.delete(change.key)
              }
              const expected = [...model]
                .filter(([k]) => k.startsWith(prefix))
                .sort(([a], [b]) => (a < b ? -1 : 1))
              assert.deepEqual(await collect(store.entries(prefix)), expected)
              assert.deepEqual(await collect(store.entries(prefix, { reverse: true })), expected.reverse())
            }),
        ),
        { seed: 20261120, numRuns: 30 },
      )
    })
  })
}
