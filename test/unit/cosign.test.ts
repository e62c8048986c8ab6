import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { openCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { consistencyProof, createTree, leafHash } from '../../src/attest/log/merkle.ts'
import { parseVkey } from '../../src/attest/log/note.ts'
import { systemClock } from '../../src/clock.ts'
import { createCosigner } from '../../src/coordinator/cosign.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import type { Network } from '../../src/net/network.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { CommandReply, CommandRequest } from '../../src/wire/commands.ts'
import { answerCheckpoints } from '../../src/witness/command.ts'
import { serveWitness } from '../../src/witness/http.ts'
import { openWitness, type Witness } from '../../src/witness/witness.ts'
import { createFakeLog, leavesOf } from '../helpers/fake-log.ts'
import { testNoteSigner } from '../helpers/log.ts'
import { createManualClock, settled, until } from '../helpers/manual-clock.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { testLogger } from '../helpers/test-logger.ts'

const clock = createManualClock()
const log = createFakeLog()
log.leaves = leavesOf(40)
const logKey = parseVkey(log.key)

/** As the sequencer does, for a checkpoint of so many leaves. */
const proveTo = (size: number) => async (oldSize: number) => {
  const tree = createTree()
  for (const leaf of log.leaves.slice(0, size)) tree.append(leafHash(leaf))
  return consistencyProof(oldSize, size, tree.read)
}

function witnessNamed(name: string): Promise<Witness> {
  return openWitness({
    store: createMemoryStore(),
    signer: testNoteSigner(name),
    logOf: origin => (origin === logKey.name ? logKey : undefined),
    clock,
  })
}

async function openNetwork() {
  const hub = createMemoryHub()
  const network = hub.join(testIdentity('coordinator').peerId)
  const join = (name: string, answer?: (body: string) => Promise<CommandReply<'add-checkpoint'>>) => {
    const where = testIdentity(`${name} peer`).peerId
    const own = hub.join(where)
    if (answer) own.serve('add-checkpoint', ({ body }) => answer(body))
    return { where, own }
  }
  return { network, join }
}

test('every witness signs, in the order they were given, and moves on with the log', async () => {
  const { network, join } = await openNetwork()
  const witnesses = await Promise.all(
    ['one.example', 'two.example'].map(async name => {
      const witness = await witnessNamed(name)
      const { where, own } = join(name)
      answerCheckpoints(own, witness)
      return { vkey: witness.key, where, witness }
    }),
  )
  const cosign = createCosigner({ network, witnesses, clock })
  for (const size of [3, 12, 12, 40]) {
    const note = await cosign(await log.note(size), proveTo(size))
    const { witnesses: seenBy } = await openCheckpoint(
      note,
      logKey,
      witnesses.map(({ vkey }) => parseVkey(vkey)),
    )
    assert.deepEqual(
      seenBy.map(({ vkey }) => vkey.name),
      ['one.example', 'two.example'],
    )
  }
  // A coordinator that was restarted does not know how far they are.
  const again = createCosigner({ network, witnesses, clock })
  log.leaves = leavesOf(41)
  assert.match(await again(await log.note(41), proveTo(41)), /— two\.example /)
})

test('nobody to ask: the note is as it was', async () => {
  const cosign = createCosigner({ witnesses: [], clock })
  const note = await log.note(9)
  assert.equal(await cosign(note, proveTo(9)), note)
})

test('over HTTP too, with a path before the API', async () => {
  const witness = await witnessNamed('http.example')
  const server = await serveWitness(witness, { host: '127.0.0.1', port: 0, log: testLogger() })
  try {
    const cosign = createCosigner({ witnesses: [{ vkey: witness.key, where: `${server.url}/` }], clock })
    for (const size of [9, 12]) {
      const note = await cosign(await log.note(size), proveTo(size))
      assert.match(note, /— http\.example /)
    }
    const lost = createCosigner({
      witnesses: [{ vkey: witness.key, where: `${server.url}/elsewhere` }],
      clock,
    })
    await assert.rejects(lost(await log.note(13), proveTo(13)), /http\.example: it answered 404/)
  } finally {
    await server.close()
  }
})

test('an answer that is no signature of that witness counts as none, and says why', async () => {
  const witness = await witnessNamed('one.example')
  const other = await witnessNamed('one.example')
  const foreign = await witnessNamed('two.example')
  const note = await log.note(9)
  const ask = async (from: Witness, size: number) => {
    const seen: CommandRequest<'add-checkpoint'>[] = []
    const { network, join } = await openNetwork()
    const { where } = join('x', async body => {
      seen.push({ body })
      return { status: 200, body: '' }
    })
    await createCosigner({ network, witnesses: [{ vkey: from.key, where }], clock })(
      await log.note(size),
      proveTo(size),
    ).catch(() => undefined)
    return from.addCheckpoint(seen[0]?.body ?? '')
  }
  const { body: ofAnotherSize } = await ask(other, 8)
  const { body: ofAnother } = await ask(foreign, 9)
  for (const [status, body, why] of [
    [200, ofAnotherSize, /signature of one\.example\+[0-9a-f]{8} does not hold/],
    [200, ofAnother, /no signature of its key/],
    [200, '', /no signature of its key/],
    [200, 'nonsense\n', /does not have the form/],
    [403, 'go away\n', /it answered 403: "go away"/],
    [500, '', /it answered 500/],
    [409, '', /without the size/],
    [409, '-1\n', /without the size/],
    [409, '10\n', /seen 10 leaves of this log already, which has 9/],
    [409, '0\n', /another tree of 0 leaves/],
  ] as const) {
    const { network, join } = await openNetwork()
    const { where } = join('liar', async () => ({ status, body }))
    const cosign = createCosigner({ network, witnesses: [{ vkey: witness.key, where }], clock })
    await assert.rejects(cosign(note, proveTo(9)), (error: Error & { code: string }) => {
      assert.equal(error.code, 'witness-missing')
      assert.match(error.message, /^0 of 1 witnesses signed, 1 must: one\.example: /)
      assert.match(error.message, why)
      return true
    })
  }
})

test('a witness with another size every time is given up', async () => {
  const witness = await witnessNamed('one.example')
  let size = 0
  const { network, join } = await openNetwork()
  const { where } = join('liar', async () => ({ status: 409, body: `${++size}\n` }))
  const cosign = createCosigner({ network, witnesses: [{ vkey: witness.key, where }], clock })
  await assert.rejects(cosign(await log.note(9), proveTo(9)), /its size changed with every answer/)
  assert.equal(size, 3)
})

test('one that is missing is named, and the others are not waited for in vain', async () => {
  const { network, join } = await openNetwork()
  const [good, gone, mute] = await Promise.all(
    ['good.example', 'gone.example', 'mute.example'].map(witnessNamed),
  )
  assert.ok(good && gone && mute)
  const { where, own } = join('good')
  answerCheckpoints(own, good)
  const never = join('mute', () => new Promise(() => {}))
  const absent = testIdentity('absent').peerId
  const cosign = createCosigner({
    network,
    clock,
    timeoutMs: 1_000,
    witnesses: [
      { vkey: good.key, where },
      { vkey: gone.key, where: absent },
      { vkey: mute.key, where: never.where },
    ],
  })
  const failed = assert.rejects(cosign(await log.note(9), proveTo(9)), (error: Error) => {
    assert.match(
      error.message,
      /^1 of 3 witnesses signed, 3 must: gone\.example: .*; mute\.example: no answer within/,
    )
    return true
  })
  await settled()
  await clock.advance(1_000)
  await failed
})

test('where two of three must sign, one that is mute is not waited for, and one that is late still counts', async () => {
  const { network, join } = await openNetwork()
  const good = await Promise.all(['one.example', 'two.example'].map(witnessNamed))
  const slow = await witnessNamed('slow.example')
  const witnesses = good.map((witness, n) => {
    const { where, own } = join(`good ${n}`)
    answerCheckpoints(own, witness)
    return { vkey: witness.key, where }
  })
  const answer = Promise.withResolvers<void>()
  let mute = false
  const { where } = join('slow', async body => {
    if (mute) return new Promise(() => {})
    await answer.promise
    return slow.addCheckpoint(body)
  })
  const all = [...witnesses, { vkey: slow.key, where }]
  const cosign = createCosigner({
    network,
    clock,
    witnesses: all,
    threshold: 2,
    timeoutMs: 10_000,
    graceMs: 500,
  })
  const late = cosign(await log.note(9), proveTo(9))
  await settled()
  answer.resolve()
  assert.match(await late, /— slow\.example /)

  mute = true
  const without = cosign(await log.note(12), proveTo(12))
  await settled()
  await clock.advance(500)
  const note = await without
  assert.match(note, /— one\.example (?:.|\n)*— two\.example /)
  assert.doesNotMatch(note, /slow\.example/)
})

test('an HTTP server that stalls, floods or redirects is a witness that is missing', async () => {
  const witness = await witnessNamed('one.example')
  for (const [answer, why] of [
    [() => {}, /no answer within/],
    [(response: ServerResponse) => response.end('x'.repeat(200_000)), /over 65536 bytes/],
    [
      (response: ServerResponse) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
      /could not be asked/,
    ],
    [(response: ServerResponse) => response.destroy(), /could not be asked/],
  ] as const) {
    let asked = false
    const server = createServer((request, response) => {
      request.resume()
      asked = true
      answer(response)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    assert.ok(typeof address === 'object' && address)
    const where = `http://127.0.0.1:${address.port}`
    try {
      const cosign = createCosigner({ witnesses: [{ vkey: witness.key, where }], clock, timeoutMs: 1_000 })
      const failed = assert.rejects(cosign(await log.note(9), proveTo(9)), why)
      if (String(why).includes('within')) {
        await until(() => asked, 'a request')
        await clock.advance(1_000)
      }
      await failed
    } finally {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
})

test('an address that cannot be asked is told at the start', async () => {
  const { key } = await witnessNamed('one.example')
  const network: Pick<Network, 'request'> = { request: () => assert.fail('asked') }
  const bad = (vkey: string, where: string, code: string, more: { vkey: string; where: string }[] = []) =>
    assert.throws(
      () => createCosigner({ network, clock: systemClock, witnesses: [{ vkey, where }, ...more] }),
      { code },
      where,
    )
  bad(log.key, 'http://127.0.0.1:1', 'bad-witness')
  bad(key, 'ftp://127.0.0.1', 'bad-witness')
  bad(key, 'http://', 'bad-witness')
  bad(key, 'http://a.test/?x', 'bad-witness')
  bad(key, '12D3KooWnobody', 'bad-witness')
  bad('no key', 'http://a.test', 'bad-note')
  bad(key, 'http://a.test', 'bad-witness', [{ vkey: key, where: 'http://b.test' }])
  assert.throws(
    () => createCosigner({ clock: systemClock, witnesses: [{ vkey: key, where: testIdentity('x').peerId }] }),
    { code: 'bad-witness' },
  )
})
