import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { consistencyProof, createTree, leafHash } from '../../src/attest/log/merkle.ts'
import { addSignature, parseVkey } from '../../src/attest/log/note.ts'
import { formatRequest } from '../../src/attest/log/witness.ts'
import { openLevelStore } from '../../src/store/level.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { openWitness, type WitnessOptions } from '../../src/witness/witness.ts'
import { createCrashingStore } from '../helpers/crashing-store.ts'
import { createFakeLog, type FakeLog, leavesOf } from '../helpers/fake-log.ts'
import { testNoteSigner } from '../helpers/log.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { collect } from '../helpers/store-contract.ts'
import { withDirectory } from '../helpers/temporary.ts'

const signer = testNoteSigner('witness.example')

async function requestTo(log: FakeLog, oldSize: number, size: number): Promise<string> {
  const tree = createTree()
  for (const leaf of log.leaves.slice(0, size)) tree.append(leafHash(leaf))
  const proof = await consistencyProof(oldSize, size, tree.read)
  return formatRequest({ oldSize, proof, note: await log.note(size) })
}

function open(log: FakeLog, store: Store, change: Partial<WitnessOptions> = {}) {
  const vkey = parseVkey(log.key)
  return openWitness({
    store,
    signer,
    logOf: origin => (origin === vkey.name ? vkey : undefined),
    clock: createManualClock(),
    ...change,
  })
}

function grownLog(count = 40, name?: string): FakeLog {
  const log = createFakeLog(name)
  log.leaves = leavesOf(count)
  return log
}

const sizes = async (witness: Awaited<ReturnType<typeof open>>, origin = 'log.example/pyti') =>
  (await collect(witness.history(origin))).map(({ size }) => size)

test('cosigns a log as it grows and remembers every checkpoint, on a real disk, over a restart', () =>
  withDirectory(async dir => {
    const log = grownLog()
    let store = await openLevelStore(dir)
    let witness = await open(log, store)
    for (const [oldSize, size] of [
      [0, 3],
      [3, 12],
    ] as const) {
      const { status, body } = await witness.addCheckpoint(await requestTo(log, oldSize, size))
      assert.equal(status, 200)
      const note = addSignature(await log.note(size), body)
      const { witnesses } = await openCheckpoint(note, parseVkey(log.key), [parseVkey(witness.key)])
      assert.equal(witnesses.length, 1)
    }
    await store.close()
    store = await openLevelStore(dir)
    witness = await open(log, store)
    assert.deepEqual(await witness.addCheckpoint(await requestTo(log, 3, 20)), { status: 409, body: '12\n' })
    assert.equal((await witness.addCheckpoint(await requestTo(log, 12, 20))).status, 200)
    const history = await collect(witness.history('log.example/pyti'))
    assert.deepEqual(
      history.map(({ size, note }) => [size, note]),
      [
        [3, await log.note(3)],
        [12, await log.note(12)],
        [20, await log.note(20)],
      ],
    )
    await store.close()
  }))

test('one checkpoint has one cosignature, whatever the time, so that a log has nothing to choose from', async () => {
  const log = grownLog()
  const clock = createManualClock()
  const witness = await open(log, createMemoryStore(), { clock })
  const first = await witness.addCheckpoint(await requestTo(log, 0, 9))
  await clock.advance(3_600_000)
  assert.deepEqual(await witness.addCheckpoint(await requestTo(log, 9, 9)), first)
  assert.deepEqual(await sizes(witness), [9])
})

test('of requests at once from one state, one is cosigned and the others are told the size', async () => {
  const log = grownLog()
  const fork = createFakeLog()
  fork.leaves = leavesOf(40, 'other')
  const witness = await open(log, createMemoryStore())
  const answers = await Promise.all(
    [await requestTo(log, 0, 9), await requestTo(fork, 0, 9), await requestTo(fork, 0, 12)].map(body =>
      witness.addCheckpoint(body),
    ),
  )
  assert.deepEqual(
    answers.map(({ status, body }) => (status === 200 ? status : [status, body])),
    [200, [409, '9\n'], [409, '9\n']],
  )
  assert.deepEqual(await sizes(witness), [9])
})

test('a fork is never cosigned', async () => {
  const log = grownLog()
  const witness = await open(log, createMemoryStore())
  await witness.addCheckpoint(await requestTo(log, 0, 9))
  const fork = createFakeLog()
  fork.leaves = [...leavesOf(8), ...leavesOf(10, 'other')]
  assert.equal((await witness.addCheckpoint(await requestTo(fork, 9, 12))).status, 422)
  assert.equal((await witness.addCheckpoint(await requestTo(fork, 9, 9))).status, 409)
  assert.deepEqual(await sizes(witness), [9])
})

test('a process that dies before its answer has forgotten all of it or nothing', async () => {
  const log = grownLog()
  for (const mode of ['before', 'after'] as const) {
    const store = createMemoryStore()
    await open(log, store)
    const dying = await open(log, createCrashingStore(store, mode, 1))
    await assert.rejects(dying.addCheckpoint(await requestTo(log, 0, 9)), /died/)
    const witness = await open(log, store)
    const seen = mode === 'after' ? 9 : 0
    assert.deepEqual(await sizes(witness), seen === 0 ? [] : [9])
    // Another history can have that size only where nobody remembers having signed this one.
    const fork = createFakeLog()
    fork.leaves = leavesOf(40, 'other')
    const { status } = await witness.addCheckpoint(await requestTo(fork, 0, 9))
    assert.equal(status, seen === 0 ? 200 : 409)
  }
})

test('nothing is answered before it is stored', async () => {
  const log = grownLog()
  const store = createMemoryStore()
  const written = Promise.withResolvers<void>()
  let writing = false
  const slow: Store = {
    ...store,
    async batch(writes) {
      writing = true
      await written.promise
      await store.batch(writes)
    },
  }
  await open(log, store)
  const witness = await open(log, slow)
  let answered = false
  const answer = witness.addCheckpoint(await requestTo(log, 0, 9)).then(() => {
    answered = true
  })
  while (!writing) await new Promise(resolve => setImmediate(resolve))
  assert.equal(answered, false)
  written.resolve()
  await answer
})

test('logs are witnessed apart; one that is not known is 404, what is no request 400', async () => {
  const log = grownLog()
  const second = grownLog(40, 'second.example')
  const keys = new Map([log, second].map(({ key }) => [parseVkey(key).name, parseVkey(key)]))
  const witness = await open(log, createMemoryStore(), { logOf: origin => keys.get(origin) })
  assert.equal((await witness.addCheckpoint(await requestTo(log, 0, 9))).status, 200)
  assert.equal((await witness.addCheckpoint(await requestTo(second, 0, 3))).status, 200)
  assert.equal((await witness.addCheckpoint(await requestTo(log, 9, 12))).status, 200)
  assert.deepEqual([await sizes(witness), await sizes(witness, 'second.example')], [[9, 12], [3]])
  const stranger = grownLog(4, 'stranger.example')
  assert.equal((await witness.addCheckpoint(await requestTo(stranger, 0, 3))).status, 404)
  const forger = createFakeLog('log.example/pyti', 'forger')
  forger.leaves = leavesOf(40)
  assert.equal((await witness.addCheckpoint(await requestTo(forger, 12, 13))).status, 403)
  for (const body of [
    '',
    'old 12',
    'old 12\n\n',
    'GET /',
    `old 12\n${'x'.repeat(200_000)}\n\nlog.example/pyti\n`,
  ])
    assert.equal((await witness.addCheckpoint(body)).status, 400, body.slice(0, 20))
})

test('its key goes by one name only', async () => {
  const log = grownLog()
  const store = createMemoryStore()
  await open(log, store)
  await open(log, store)
  await assert.rejects(open(log, store, { signer: testNoteSigner('other.example', 'witness.example') }), {
    code: 'witness-renamed',
  })
})

test('a store that holds something else is an error, never a new beginning', async () => {
  const log = grownLog()
  const store = createMemoryStore()
  const witness = await open(log, store)
  await witness.addCheckpoint(await requestTo(log, 0, 9))
  for await (const [key] of store.entries('witness/head/'))
    await store.batch([{ type: 'put', key, value: { size: 3 } }])
  await assert.rejects(witness.addCheckpoint(await requestTo(log, 9, 12)), { code: 'store-damaged' })
})
