import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { confirmFault, decodeFault } from '../../src/attest/faults.ts'
import { parseCheckpoint } from '../../src/attest/log/checkpoint.ts'
import type { Entry } from '../../src/attest/log/entry.ts'
import { parseNote, parseVkey } from '../../src/attest/log/note.ts'
import { openProof } from '../../src/attest/log/proof-file.ts'
import { CommandError } from '../../src/net/command-error.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createLogWatch, type LogWatchOptions } from '../../src/volunteer/log-watch.ts'
import { utf8 } from '../../src/wire/bytes.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { createEvidence, createFakeLog, leavesOf, serveFakeLog } from '../helpers/fake-log.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { testLogger } from '../helpers/test-logger.ts'

const coordinator = testIdentity('coordinator').peerId
const signal = new AbortController().signal
const entry: Entry = {
  kind: 'raw',
  id: sha256('attestation'),
  subject: sha256('file'),
  purl: 'pkg:pypi/sample@1.0?file_name=sample-1.0.tar.gz',
}
const Evidence = z.strictObject({
  schema: z.literal('pyti.evidence/1'),
  kind: z.enum(['fork', 'rollback', 'receipt']),
  log: z.string(),
  notes: z.array(z.string()).optional(),
  proof: z.array(z.string()).optional(),
  receipt: z.string().optional(),
  checkpoint: z.string().optional(),
})

function openHouse() {
  const hub = createMemoryHub()
  const log = createFakeLog()
  log.leaves = leavesOf(7)
  serveFakeLog(hub.join(coordinator), log)
  const clock = createManualClock()
  const watching = (name = 'volunteer', change: Partial<LogWatchOptions> = {}) => {
    const evidence = createEvidence()
    const memory = createMemoryStore()
    const told: { code: string; message: string; file?: string }[] = []
    const logger = testLogger()
    const network = hub.join(testIdentity(name).peerId)
    const options: LogWatchOptions = {
      network,
      coordinator,
      memory,
      evidence,
      clock,
      log: logger,
      onFault: fault => told.push(fault),
      ...change,
    }
    const watch = createLogWatch(options)
    watch.start()
    /** The same volunteer after a restart. */
    const again = (more: Partial<LogWatchOptions> = {}) => createLogWatch({ ...options, ...more })
    const evidenceNamed = (file: string) => Evidence.parse(JSON.parse(evidence.files.get(file) ?? 'null'))
    /** The heads of a fork that anybody can check with nothing but the file. */
    const provenHeads = async (file: string) => {
      const fault = decodeFault(utf8(evidence.files.get(file) ?? ''))
      const { accused } = await confirmFault(fault)
      assert.equal(accused, log.key)
      return fault.kind === 'fork' ? [...fault.heads] : []
    }
    return { watch, again, evidence, evidenceNamed, provenHeads, memory, told, logger, network }
  }
  return { hub, log, clock, watching, nowSeconds: () => Math.floor(clock.now() / 1_000) }
}

const sizesOf = (notes: readonly string[] = []) =>
  notes.map(note => parseCheckpoint(parseNote(note).text).size)

test('a log that grows is followed, over a restart too, and what is kept is served', async () => {
  const { log, watching, hub } = openHouse()
  const { watch, again, network } = watching()
  await watch.contact(log.key, signal)
  log.leaves = leavesOf(12)
  await watch.check(signal)
  log.leaves = leavesOf(100)
  const later = again()
  await later.contact(log.key, signal)
  await later.check(signal)
  assert.equal(later.fault(), undefined)
  assert.deepEqual(later.logKey(), parseVkey(log.key))
  const asking = hub.join(testIdentity('asking').peerId)
  const reply = await asking.request(network.self, 'log-head', { size: 3 })
  assert.deepEqual(reply, { checkpoint: await log.note(12), proof: [] })
})

test('an empty log is no fault, and nothing is served before the first checkpoint', async () => {
  const { log, watching, hub } = openHouse()
  log.leaves = []
  const { watch, network } = watching()
  await watch.contact(log.key, signal)
  await watch.check(signal)
  const asking = hub.join(testIdentity('asking').peerId)
  await assert.rejects(asking.request(network.self, 'log-head', { size: 0 }), { code: 'NOT_FOUND' })
})

test('a fork stops everything, for good, and is proven by one file', async () => {
  const { log, watching } = openHouse()
  const { watch, again, provenHeads, evidence, told, logger } = watching()
  await watch.contact(log.key, signal)
  const before = await log.note()
  log.leaves = [...leavesOf(3), ...leavesOf(9, 'other')]
  await assert.rejects(watch.check(signal), { code: 'log-forked' })
  assert.equal(watch.fault()?.code, 'log-forked')
  await assert.rejects(watch.contact(log.key, signal), { code: 'log-forked' })
  assert.deepEqual([...evidence.files.keys()], ['log-fork-1.json'])
  assert.deepEqual(
    told.map(({ code, file }) => [code, file]),
    [['log-forked', '/evidence/log-fork-1.json']],
  )
  assert.match(told[0]?.message ?? '', /no more leases .* \/evidence\/log-fork-1\.json/)
  assert.equal(logger.lines.filter(line => line.level === 'error').length, 1)

  assert.deepEqual(await provenHeads('log-fork-1.json'), [before, await log.note()])

  // Honest again, restarted: not forgotten.
  log.leaves = leavesOf(20)
  const later = again()
  await assert.rejects(later.contact(log.key, signal), { code: 'log-forked' })
  assert.equal(evidence.files.size, 1)
})

test('one size with two roots is a fork', async () => {
  const { log, watching } = openHouse()
  const { watch, provenHeads } = watching()
  await watch.contact(log.key, signal)
  log.leaves = leavesOf(7, 'other')
  await assert.rejects(watch.contact(log.key, signal), { code: 'log-forked' })
  assert.deepEqual(sizesOf(await provenHeads('log-fork-1.json')), [7, 7])
})

test('a proof that is missing, longer, not of hashes or empty is as good as a fork', async () => {
  for (const lie of [
    () => [],
    (proof: string[]) => [...proof, proof[0] ?? ''],
    (proof: string[]) => ['AAAA', ...proof.slice(1)],
    (proof: string[]) => proof.toReversed(),
  ]) {
    const { log, watching } = openHouse()
    const { watch, evidenceNamed } = watching()
    await watch.contact(log.key, signal)
    log.leaves = leavesOf(12)
    const { head } = log
    log.head = async size => {
      const { checkpoint, proof } = await head(size)
      return { checkpoint, proof: lie(proof) }
    }
    await assert.rejects(watch.check(signal), { code: 'log-forked' })
    assert.deepEqual(sizesOf(evidenceNamed('log-fork-1.json').notes), [7, 12])
  }
})

test('every fork of a small log is found, and is proven by its file unless it begins at a power of two', async () => {
  for (const [oldSize, newSize, at] of [
    [2, 3, 0],
    [3, 4, 0],
    [3, 8, 2],
    [5, 6, 4],
    [6, 13, 1],
    [7, 8, 6],
    [8, 20, 3],
    [13, 100, 12],
    [21, 64, 16],
  ] as const) {
    const { log, watching } = openHouse()
    log.leaves = leavesOf(oldSize)
    const { watch, provenHeads, evidenceNamed } = watching()
    await watch.contact(log.key, signal)
    log.leaves = leavesOf(newSize).map((leaf, index) => (index === at ? utf8('another') : leaf))
    await assert.rejects(watch.check(signal), { code: 'log-forked' })
    const notes = Number.isInteger(Math.log2(oldSize))
      ? evidenceNamed('log-fork-1.json').notes
      : await provenHeads('log-fork-1.json')
    assert.deepEqual(sizesOf(notes), [oldSize, newSize])
  }
})

test('a log that goes back is not followed: smaller, emptied, or an old checkpoint shown again', async () => {
  for (const [shown, rollBack] of [
    [
      [12, 5],
      (log: ReturnType<typeof createFakeLog>) => {
        log.leaves = leavesOf(5)
      },
    ],
    [
      [12],
      (log: ReturnType<typeof createFakeLog>) => {
        log.leaves = []
      },
    ],
    [
      [12, 7],
      (log: ReturnType<typeof createFakeLog>) => {
        log.head = async () => ({ checkpoint: await log.note(7), proof: [] })
      },
    ],
  ] as const) {
    const { log, watching } = openHouse()
    log.leaves = leavesOf(12)
    const { watch, evidenceNamed, again } = watching()
    await watch.contact(log.key, signal)
    rollBack(log)
    await assert.rejects(watch.check(signal), { code: 'log-rolled-back' })
    assert.deepEqual(sizesOf(evidenceNamed('log-rollback-1.json').notes), shown)
    await assert.rejects(again().contact(log.key, signal), { code: 'log-rolled-back' })
  }
})

test('a CONFLICT that the log itself contradicts is no fault yet, but no contact either', async () => {
  const { log, watching } = openHouse()
  const { watch } = watching()
  await watch.contact(log.key, signal)
  const { head } = log
  log.head = size =>
    size > 0 ? Promise.reject(new CommandError('CONFLICT', 'it never had that')) : head(size)
  await assert.rejects(watch.check(signal), { code: 'CONFLICT' })
  assert.equal(watch.fault(), undefined)
})

test('another key is an alarm, unless it was named', async () => {
  const { log, watching } = openHouse()
  const other = createFakeLog('log.example/pyti', 'another key')
  const { watch, again, told } = watching()
  await watch.contact(log.key, signal)
  await assert.rejects(watch.contact(other.key, signal), (error: { code: string; hint: string }) => {
    assert.equal(error.code, 'log-key-changed')
    assert.ok(error.hint.includes(`--log-key ${other.key}`))
    return true
  })
  await assert.rejects(watch.contact(log.key, signal), { code: 'log-key-changed' })
  assert.deepEqual(
    told.map(({ code }) => code),
    ['log-key-changed'],
  )

  await assert.rejects(again().contact(other.key, signal), { code: 'log-key-changed' })
  await again().contact(log.key, signal)
  // Named, and of the same name: the same history must go on under it.
  const renewed = again({ logKey: other.key })
  log.note = other.note
  other.leaves = leavesOf(9)
  log.leaves = leavesOf(9)
  await renewed.contact(other.key, signal)
  assert.deepEqual(renewed.logKey(), parseVkey(other.key))
  await assert.rejects(again().contact(log.key, signal), { code: 'log-key-changed' })
})

test('a key named beforehand is the only one taken', async () => {
  const { log, watching } = openHouse()
  const other = createFakeLog('log.example/pyti', 'another key')
  const { watch } = watching('volunteer', { logKey: other.key })
  await assert.rejects(watch.contact(log.key, signal), { code: 'log-key-changed' })
})

test('a new key does not excuse another history, and a new name begins one', async () => {
  const { log, watching } = openHouse()
  const { watch, again } = watching()
  await watch.contact(log.key, signal)
  const forked = createFakeLog('log.example/pyti', 'another key')
  forked.leaves = leavesOf(12, 'other')
  log.head = forked.head
  await assert.rejects(again({ logKey: forked.key }).contact(forked.key, signal), { code: 'log-forked' })
  const fresh = createFakeLog('log.example/second')
  fresh.leaves = leavesOf(2, 'fresh')
  log.head = fresh.head
  await again({ logKey: fresh.key }).contact(fresh.key, signal)
})

test('what the log did not sign is no checkpoint, and nothing is kept of it', async () => {
  const { log, watching } = openHouse()
  const forger = createFakeLog('log.example/pyti', 'forger')
  forger.leaves = leavesOf(9)
  const { watch, evidence } = watching()
  const { head } = log
  log.head = forger.head
  await assert.rejects(watch.contact(log.key, signal), { code: 'bad-checkpoint' })
  await assert.rejects(watch.contact('no key', signal), { code: 'log-key-changed' })
  assert.equal(evidence.files.size, 0)
  log.head = head
})

test('the first key must be one', async () => {
  const { watching } = openHouse()
  await assert.rejects(watching().watch.contact('no key', signal), { code: 'bad-note' })
})

test('two volunteers that are shown two histories find out from each other', async () => {
  for (const sizes of [
    [7, 7],
    [7, 12],
    [12, 7],
  ] as const) {
    const { log, hub, watching } = openHouse()
    const other = createFakeLog()
    other.leaves = leavesOf(sizes[1], 'other')
    log.leaves = leavesOf(sizes[0])
    const one = watching('one')
    await one.watch.contact(log.key, signal)
    // The other one is shown the other history.
    const honest = log.head
    log.head = other.head
    const two = watching('two')
    await two.watch.contact(log.key, signal)
    log.head = honest
    log.leaves = leavesOf(20)
    await assert.rejects(one.watch.check(signal), { code: 'log-forked' }, String(sizes))
    const heads = await one.provenHeads('log-fork-1.json')
    assert.ok(heads.includes(await other.note()))
    assert.ok(hub)
  }
})

test('a peer that has seen more than the coordinator shows proves that it goes back', async () => {
  const { log, watching } = openHouse()
  const two = watching('two')
  const one = watching('one')
  two.network.onPeer(() => {})
  log.leaves = leavesOf(30)
  await one.watch.contact(log.key, signal)
  log.leaves = leavesOf(9)
  await two.watch.contact(log.key, signal)
  await assert.rejects(two.watch.check(signal), { code: 'log-rolled-back' })
  assert.deepEqual(sizesOf(two.evidenceNamed('log-rollback-1.json').notes), [30, 9])
})

test('peers with the same history, of another log, or without an answer are no trouble', async () => {
  const { log, watching, hub } = openHouse()
  const one = watching('one')
  await one.watch.contact(log.key, signal)
  log.leaves = leavesOf(12)
  const two = watching('two')
  await two.watch.contact(log.key, signal)
  watching('three')
  const stranger = createFakeLog('stranger.example')
  stranger.leaves = leavesOf(3)
  serveFakeLog(hub.join(testIdentity('stranger').peerId), stranger)
  hub.join(testIdentity('mute').peerId)
  log.leaves = leavesOf(15)
  await one.watch.check(signal)
  await two.watch.check(signal)
  await one.watch.check(signal)
  assert.deepEqual([one.watch.fault(), two.watch.fault()], [undefined, undefined])
})

test('a log that never stands still is not compared for ever', async () => {
  const { log, watching } = openHouse()
  const one = watching('one')
  await one.watch.contact(log.key, signal)
  const forked = createFakeLog()
  forked.leaves = leavesOf(9, 'other')
  const honest = log.head
  log.head = forked.head
  const two = watching('two')
  await two.watch.contact(log.key, signal)
  let asked = 0
  // To each history its own, always some leaves ahead of the other.
  log.head = async size => {
    asked += 1
    const isOther = forked.leaves.length === size
    const grown = 30 + asked
    if (isOther) forked.leaves = leavesOf(grown, 'other')
    else log.leaves = leavesOf(grown)
    return isOther ? forked.head(size) : honest(size)
  }
  await assert.rejects(one.watch.check(signal), { code: 'log-unsettled' })
  assert.ok(asked < 30)
})

test('a receipt is kept, and its proof in its place', async () => {
  const { log, watching, nowSeconds } = openHouse()
  const { watch, again, memory, told } = watching()
  await watch.contact(log.key, signal)
  await watch.handedIn(
    entry,
    await log.receiptFor(entry, { issued: nowSeconds(), mergeBy: nowSeconds() + 600 }),
  )
  await watch.check(signal)
  log.leaves = [...leavesOf(7), utf8(`pyti-leaf/v1\nraw\n${entry.id}\n${entry.subject}\n${entry.purl}\n`)]
  const later = again()
  await later.contact(log.key, signal)
  await later.check(signal)
  const kept = await memory.get(`log/${coordinator}/proof/${entry.id}`)
  assert.ok(typeof kept === 'string')
  const { index } = await openProof(kept, log.leaves[7] ?? new Uint8Array(), parseVkey(log.key))
  assert.equal(index, 7)
  assert.equal(await memory.get(`log/${coordinator}/receipt/${entry.id}`), undefined)
  assert.deepEqual(told, [])
})

test('a promise not kept becomes evidence once a witness has seen a later checkpoint', async () => {
  const { log, watching, nowSeconds, clock } = openHouse()
  const { watch, evidenceNamed, evidence, told, logger, memory } = watching()
  await watch.contact(log.key, signal)
  const mergeBy = nowSeconds() + 600
  const receipt = await log.receiptFor(entry, { issued: nowSeconds(), mergeBy })
  await watch.handedIn(entry, receipt)
  await clock.advance(1_100_000)
  await watch.check(signal)
  assert.deepEqual([told.length, evidence.files.size], [0, 0])
  await clock.advance(200_000)
  // Late by the clock here: told once, as nothing proves it.
  for (let turn = 0; turn < 3; turn += 1) await watch.check(signal)
  assert.deepEqual(
    told.map(({ code, file }) => [code, file]),
    [['receipt-late', undefined]],
  )
  log.witnessedAt = mergeBy
  log.leaves = leavesOf(8)
  await watch.check(signal)
  assert.equal(evidence.files.size, 0)
  log.witnessedAt = mergeBy + 1
  log.leaves = leavesOf(9)
  await watch.check(signal)
  const file = `receipt-${entry.id}.json`
  assert.deepEqual(evidenceNamed(file), {
    schema: 'pyti.evidence/1',
    kind: 'receipt',
    log: log.key,
    receipt,
    checkpoint: await log.note(),
  })
  assert.deepEqual(told.at(-1)?.file, `/evidence/${file}`)
  assert.ok(logger.lines.some(line => line.level === 'error' && line.message.includes(file)))
  assert.notEqual(await memory.get(`log/${coordinator}/broken/${entry.id}`), undefined)
  await watch.check(signal)
  assert.equal(told.length, 2)
  // The log itself was honest about what it has: leases go on.
  assert.equal(watch.fault(), undefined)
})

test('a receipt for something else is told, and the leaf is asked for all the same', async () => {
  for (const change of [
    { attestation: sha256('another') },
    { leafHash: sha256('another') },
    { mergeBy: 4_000_000_000 },
  ]) {
    const { log, watching, nowSeconds } = openHouse()
    const { watch, memory, logger } = watching()
    await watch.contact(log.key, signal)
    const times = { issued: nowSeconds(), mergeBy: nowSeconds() + 60 }
    await watch.handedIn(entry, await log.receiptFor(entry, { ...times, ...change }))
    assert.equal(logger.lines.filter(line => line.level === 'error').length, 1)
    log.leaves = [...leavesOf(7), utf8(`pyti-leaf/v1\nraw\n${entry.id}\n${entry.subject}\n${entry.purl}\n`)]
    await watch.check(signal)
    assert.equal(typeof (await memory.get(`log/${coordinator}/proof/${entry.id}`)), 'string')
  }
})

test('a receipt that nobody, or somebody else, signed is none', async () => {
  const { log, watching, nowSeconds } = openHouse()
  const { watch, logger, memory } = watching()
  await watch.contact(log.key, signal)
  const forger = createFakeLog('log.example/pyti', 'forger')
  for (const note of [
    '',
    'x',
    await forger.receiptFor(entry, { mergeBy: nowSeconds() + 60 }),
    await log.note(),
  ])
    await watch.handedIn(entry, note)
  assert.equal(logger.lines.filter(line => line.level === 'error').length, 4)
  const kept = z.looseObject({}).parse(await memory.get(`log/${coordinator}/receipt/${entry.id}`))
  assert.equal(kept.receipt, undefined)
})

test('a proof of another leaf, or under another history, honours nothing', async () => {
  const { log, watching, nowSeconds } = openHouse()
  const { watch, memory } = watching()
  await watch.contact(log.key, signal)
  await watch.handedIn(
    entry,
    await log.receiptFor(entry, { issued: nowSeconds(), mergeBy: nowSeconds() + 600 }),
  )
  const wrong = await log.proofOf(new TextDecoder().decode(log.leaves[2]))
  log.proofOf = async () => wrong
  await watch.check(signal)
  assert.equal(await memory.get(`log/${coordinator}/proof/${entry.id}`), undefined)
  assert.equal(watch.fault(), undefined)

  const hidden = createFakeLog()
  hidden.leaves = [utf8(`pyti-leaf/v1\nraw\n${entry.id}\n${entry.subject}\n${entry.purl}\n`), ...leavesOf(6)]
  log.proofOf = hidden.proofOf
  await assert.rejects(watch.check(signal), { code: 'log-forked' })
  assert.equal(await memory.get(`log/${coordinator}/proof/${entry.id}`), undefined)
})
