import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Entry, formatEntry } from '../../src/attest/log/entry.ts'
import { createLedger, type Ledger } from '../../src/coordinator/ledger.ts'
import { PytiError } from '../../src/errors.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store, Write } from '../../src/store/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { createCrashingStore } from '../helpers/crashing-store.ts'
import { told } from '../helpers/expect.ts'
import { settled } from '../helpers/manual-clock.ts'
import { collect } from '../helpers/store-contract.ts'

const entryOf = (name: string | number): Entry => ({ kind: 'task', id: sha256(`entry ${name}`) })
const put = (key: string): Write => ({ type: 'put', key, value: key })
const texts = async (ledger: Ledger, from = 0, to = ledger.size()) =>
  (await collect(ledger.entries(from, to))).map(bytes => Buffer.from(bytes).toString())
const textOf = (name: string | number) => Buffer.from(formatEntry(entryOf(name))).toString()

async function openLedger(store: Store = createMemoryStore(), onFailure?: (error: unknown) => void) {
  const ledger = createLedger({ store, ...(onFailure && { onFailure }) })
  await ledger.load()
  return ledger
}

/** Batches wait until they are let through. */
function createGatedStore(inner = createMemoryStore()) {
  const batches: { writes: Write[]; go(): void; fail(error: Error): void }[] = []
  const store: Store = {
    ...inner,
    batch: writes =>
      new Promise((resolve, reject) => {
        batches.push({ writes, go: () => resolve(inner.batch(writes)), fail: reject })
      }),
  }
  return { store, batches }
}

describe('commit', () => {
  it('puts entries, their ids and the writes of the call into one batch', async () => {
    const { store, batches } = createGatedStore()
    const ledger = await openLedger(store)
    const done = ledger.commit([put('a'), { type: 'delete', key: 'b' }], [entryOf(0), entryOf(1)])
    await settled()
    assert.deepEqual(
      batches.map(({ writes }) => writes.map(write => `${write.type} ${write.key}`)),
      [
        [
          'put a',
          'delete b',
          'put leaf/0000000000000000',
          `put leaf-of/${entryOf(0).id}`,
          'put leaf/0000000000000001',
          `put leaf-of/${entryOf(1).id}`,
        ],
      ],
    )
    assert.equal(ledger.size(), 0)
    batches[0]?.go()
    assert.equal(await done, 0)
    assert.equal(ledger.size(), 2)
    assert.equal(await ledger.find(entryOf(1).id), 1)
    assert.equal(await ledger.find(entryOf(2).id), undefined)
    const repeated = ledger.commit([], [entryOf(0)])
    await settled()
    batches[1]?.go()
    assert.equal(await repeated, 2)
    assert.equal(await ledger.find(entryOf(0).id), 2)
  })

  it('gathers what arrives while a batch is written, in order', async () => {
    const { store, batches } = createGatedStore()
    const ledger = await openLedger(store)
    const order: number[] = []
    const commit = (name: number, count: number) =>
      ledger
        .commit(
          [],
          Array.from({ length: count }, (_, at) => entryOf(`${name} ${at}`)),
        )
        .then(index => order.push(index))
    const first = [commit(0, 1), commit(1, 2)]
    await settled()
    const second = [commit(2, 3), commit(3, 0), commit(4, 1)]
    await settled()
    assert.deepEqual(
      batches.map(({ writes }) => writes.length),
      [6],
    )
    batches[0]?.go()
    await Promise.all(first)
    await settled()
    assert.deepEqual(
      batches.map(({ writes }) => writes.length),
      [6, 8],
    )
    batches[1]?.go()
    await Promise.all(second)
    assert.deepEqual(order, [0, 1, 3, 6, 6])
  })

  it('gives every entry one index, without holes, however calls fall together', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 40 }), async calls => {
        const store = createMemoryStore()
        const ledger = await openLedger(store)
        const expected: string[] = []
        const running: Promise<void>[] = []
        for (const [call, [count, pause]] of calls.entries()) {
          const names = Array.from({ length: count }, (_, at) => `${call} ${at}`)
          const first = expected.length
          expected.push(...names.map(textOf))
          const committed = ledger.commit([put(`call/${call}`)], names.map(entryOf))
          running.push(committed.then(index => assert.equal(index, first)))
          if (pause) await settled()
        }
        await Promise.all(running)
        assert.deepEqual(await texts(ledger), expected)
        const again = await openLedger(store)
        assert.equal(again.size(), expected.length)
        assert.equal((await collect(store.entries('call/'))).length, calls.length)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses an entry that is none, alone', async () => {
    const ledger = await openLedger()
    const good = ledger.commit([], [entryOf(0)])
    const bad = ledger.commit([put('a')], [entryOf(1), { kind: 'raw', id: 'x' }])
    await assert.rejects(bad, told('bad-entry'))
    assert.equal(await good, 0)
    assert.equal(await ledger.commit([], [entryOf(2)]), 1)
  })

  it('wants to be loaded first', async () => {
    const ledger = createLedger({ store: createMemoryStore() })
    await assert.rejects(ledger.commit([], []), told('ledger-not-loaded'))
    assert.throws(() => ledger.size(), told('ledger-not-loaded'))
  })
})

describe('a check', () => {
  it('sees everything committed before the call, and nothing of later calls', async () => {
    const store = createMemoryStore()
    const ledger = await openLedger(store)
    const seen: [number, unknown][] = []
    const calls = [
      ledger.commit([put('a')], [entryOf(0)]),
      ledger.commit([put('b')], [entryOf(1)], {
        check: async index => void seen.push([index, await store.get('a')]),
      }),
      ledger.commit([{ type: 'delete', key: 'a' }], [entryOf(2)]),
    ]
    assert.deepEqual(await Promise.all(calls), [0, 1, 2])
    assert.deepEqual(seen, [[1, 'a']])
  })

  it('fails its own call only', async () => {
    const store = createMemoryStore()
    const ledger = await openLedger(store)
    const demand = (wanted: number) => ({
      check(index: number) {
        if (index !== wanted) throw new PytiError('moved', `it is ${index}`)
      },
    })
    const results = await Promise.allSettled([
      ledger.commit([put('a')], [entryOf(0)], demand(0)),
      ledger.commit([put('b')], [entryOf(1)], demand(0)),
      ledger.commit([put('c')], [entryOf(2)]),
      ledger.commit([put('d')], [entryOf(3)], demand(2)),
    ])
    assert.deepEqual(
      results.map(result => (result.status === 'fulfilled' ? result.value : String(result.reason))),
      [0, 'PytiError: it is 1', 1, 2],
    )
    assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map(key => store.get(key))), [
      'a',
      undefined,
      'c',
      'd',
    ])
    assert.deepEqual(await texts(ledger), [0, 2, 3].map(textOf))
  })
})

describe('a store that fails', () => {
  it('fails exactly the calls of the batch, then everything', async () => {
    const { store, batches } = createGatedStore()
    const failures: unknown[] = []
    const ledger = await openLedger(store, error => failures.push(error))
    const good = ledger.commit([], [entryOf(0)])
    await settled()
    const bad = [ledger.commit([], [entryOf(1)]), ledger.commit([], [entryOf(2)])]
    const outcomes = Promise.allSettled(bad)
    batches[0]?.go()
    assert.equal(await good, 0)
    await settled()
    const late = ledger.commit([], [entryOf(3)])
    const lateOutcome = assert.rejects(late, told('store-failed', /failed before/))
    const cause = new Error('disk gone')
    batches[1]?.fail(cause)
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, 'rejected')
      assert.ok(told('store-failed', /could not be stored/)(outcome.reason))
      assert.equal(outcome.reason.cause, cause)
    }
    await lateOutcome
    await assert.rejects(ledger.commit([], []), told('store-failed', /failed before/))
    assert.deepEqual(failures, [cause])
    assert.equal(ledger.size(), 1)
    assert.equal(batches.length, 2)
  })

  it('leaves what was promised, and each call wholly or not at all, wherever the process dies', async () => {
    for (const mode of ['before', 'after'] as const)
      for (let at = 1; at <= 6; at += 1) {
        const store = createMemoryStore()
        const ledger = await openLedger(createCrashingStore(store, mode, at))
        const promised: string[] = []
        for (let round = 0; round < 6; round += 1)
          await Promise.allSettled(
            [0, 1].map(async call => {
              const names = [`${round} ${call} a`, `${round} ${call} b`]
              const index = await ledger.commit([put(`call/${round}${call}`)], names.map(entryOf))
              for (const [offset, name] of names.entries()) promised[index + offset] = textOf(name)
            }),
          )
        const again = await openLedger(store)
        const kept = await texts(again)
        assert.deepEqual(kept.slice(0, promised.length), promised)
        assert.equal(promised.length, 4 * (at - 1))
        assert.equal(kept.length, mode === 'after' ? 4 * at : 4 * (at - 1))
        assert.equal((await collect(store.entries('call/'))).length * 2, kept.length)
      }
  })
})

describe('entries', () => {
  it('lists any range', async () => {
    const ledger = await openLedger()
    const count = 2_345
    await ledger.commit(
      [],
      Array.from({ length: count }, (_, at) => entryOf(at)),
    )
    const all = await texts(ledger)
    assert.equal(all[1_234], textOf(1_234))
    await fc.assert(
      fc.asyncProperty(fc.nat(count), fc.nat(count), async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)]
        assert.deepEqual(await texts(ledger, from, to), all.slice(from, to))
      }),
      {
        numRuns: 60,
        examples: [
          [0, count],
          [1_000, 2_000],
          [0, 0],
          [10, 20],
        ],
      },
    )
  })

  it('tells of a hole', async () => {
    for (const hole of [0, 7, 10, 19]) {
      const store = createMemoryStore()
      const ledger = await openLedger(store)
      await ledger.commit(
        [],
        Array.from({ length: 25 }, (_, at) => entryOf(at)),
      )
      await store.batch([{ type: 'delete', key: `leaf/${String(hole).padStart(16, '0')}` }])
      await assert.rejects(texts(ledger), told('store-damaged', new RegExp(`leaf ${hole} `)))
    }
  })

  it('refuses a leaf of another form', async () => {
    const store = createMemoryStore()
    await store.batch([{ type: 'put', key: 'leaf/0000000000000000', value: { text: 1 } }])
    await assert.rejects(openLedger(store), told('store-damaged'))
    const other = createMemoryStore()
    await other.batch([{ type: 'put', key: 'leaf/abc', value: 'text' }])
    await assert.rejects(openLedger(other), told('store-damaged'))
  })
})
