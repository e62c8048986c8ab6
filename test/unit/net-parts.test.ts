import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isCode } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { parseAddress, parseTarget, pinned } from '../../src/net/addresses.ts'
import { decodeRange, encodeRange, pullBlob, rangeAnswerer } from '../../src/net/blobs.ts'
import { CommandError } from '../../src/net/command-error.ts'
import { withDeadline } from '../../src/net/deadline.ts'
import { Gate, Gates } from '../../src/net/gate.ts'
import { blobProtocol, commandProtocols } from '../../src/net/protocols.ts'
import { Quota } from '../../src/net/quota.ts'
import { commandAnswerer, decodeReply, describe as describeIssues, encodeFailure } from '../../src/net/rpc.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { commands } from '../../src/wire/commands.ts'
import { limits } from '../../src/wire/limits.ts'

const peer = '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq'
const other = '12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV'
const bytes = (text: string) => new TextEncoder().encode(text)

test('every command has a protocol id of its own', () => {
  const ids = Object.values(commandProtocols).map(row => row.id)
  assert.deepEqual(Object.keys(commandProtocols), Object.keys(commands))
  assert.equal(new Set(ids).size, ids.length)
  assert.equal(commandProtocols['raw-data'].id, '/pyti/raw-data/2')
  assert.ok(!ids.includes(blobProtocol.id))
})

describe('quota', () => {
  test('a burst, then the rate, per peer', () => {
    let now = 1_000
    const quota = new Quota({ burst: 3, perSecond: 2 }, () => now)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => quota.take('a')),
      [0, 0, 0, 500],
    )
    assert.equal(quota.take('b'), 0)
    now += 499
    assert.equal(quota.take('a'), 1)
    now += 1
    assert.equal(quota.take('a'), 0)
    now += 1_000_000
    assert.deepEqual(
      [1, 2, 3, 4].map(() => quota.take('a')),
      [0, 0, 0, 500],
    )
  })

  test('a clock that goes back gives nothing and breaks nothing', () => {
    let now = 1_000
    const quota = new Quota({ burst: 1, perSecond: 1 }, () => now)
    assert.equal(quota.take('a'), 0)
    now = 0
    assert.equal(quota.take('a'), 1_000)
    now = 1_000
    assert.equal(quota.take('a'), 0)
  })

  test('never more than burst plus rate, whatever the timing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_000), { maxLength: 200 }), gaps => {
        let now = 0
        let granted = 0
        const quota = new Quota({ burst: 5, perSecond: 3 }, () => now)
        for (const gap of gaps) {
          now += gap
          if (quota.take('a') === 0) granted += 1
        }
        return granted <= 5 + Math.ceil((now * 3) / 1_000)
      }),
      { seed: 20_261_107 },
    )
  })

  test('remembers a bounded number of peers, the recent ones', () => {
    const quota = new Quota({ burst: 1, perSecond: 1 }, () => 0)
    quota.take('first')
    for (let index = 0; index < 10_000; index += 1) quota.take(`peer ${index}`)
    assert.equal(quota.take('peer 9999'), 1_000)
    assert.equal(quota.take('first'), 0)
  })
})

describe('gate', () => {
  test('lets in so many, then in order', async () => {
    const gate = new Gate(2)
    const entered: number[] = []
    const leaves = [await gate.enter(), await gate.enter()]
    const waiting = [1, 2, 3].map(async number => {
      const leave = await gate.enter()
      entered.push(number)
      leave()
    })
    await null
    assert.deepEqual(entered, [])
    leaves[0]?.()
    leaves[0]?.()
    await Promise.all(waiting)
    assert.deepEqual(entered, [1, 2, 3])
    leaves[1]?.()
    assert.ok(gate.isEmpty)
  })

  test('who gives up while waiting takes no place', async () => {
    const gates = new Gates()
    const leave = await gates.enter('a', 1)
    const abort = new AbortController()
    const waiting = gates.enter('a', 1, abort.signal)
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await assert.rejects(gates.enter('a', 1, abort.signal), /enough/)
    ;(await gates.enter('b', 1))()
    leave()
    ;(await gates.enter('a', 1))()
  })
})

describe('deadline', () => {
  const stuck = { now: () => 0, sleep: () => Promise.race<void>([]) }
  const immediate = { now: () => 0, sleep: async () => {} }

  test('the result of the work', async () => {
    assert.equal(await withDeadline(stuck, { ms: 1, what: 'it' }, async () => 7), 7)
    await assert.rejects(
      withDeadline(stuck, { ms: 1, what: 'it' }, async () => {
        throw new Error('failed')
      }),
      /failed/,
    )
  })

  test('ends work that ignores its signal, and work that turns the signal into another error', async () => {
    const ignores = () => Promise.race<void>([])
    await assert.rejects(
      withDeadline(immediate, { ms: 5, what: 'it' }, ignores),
      error => isCode(error, 'timeout') && error.message === 'it took longer than 5 ms',
    )
    const hides = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('AbortError')))
      })
    await assert.rejects(withDeadline(immediate, { ms: 5, what: 'it' }, hides), error =>
      isCode(error, 'timeout'),
    )
    const abort = new AbortController()
    const waiting = withDeadline(stuck, { ms: 5, what: 'it', signal: abort.signal }, hides)
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    const never = () => assert.fail('must not start')
    await assert.rejects(withDeadline(stuck, { ms: 5, what: 'it', signal: abort.signal }, never), /enough/)
  })
})

describe('addresses', () => {
  test('where and who', () => {
    assert.deepEqual(parseTarget(`/ip4/192.0.2.7/tcp/4001/p2p/${peer}`).peer, peer)
    assert.equal(parseAddress('/dns4/coordinator.test/tcp/4001').peer, undefined)
    assert.equal(pinned('/ip6/::1/tcp/1', peer).toString(), `/ip6/::1/tcp/1/p2p/${peer}`)
    assert.equal(pinned(`/ip6/::1/tcp/1/p2p/${peer}`, peer).toString(), `/ip6/::1/tcp/1/p2p/${peer}`)
  })

  test('another peer in the address is refused', () => {
    assert.throws(
      () => pinned(`/ip4/127.0.0.1/tcp/1/p2p/${other}`, peer),
      error => isCode(error, 'wrong-peer') && error.message.includes(other) && error.message.includes(peer),
    )
  })

  for (const bad of [
    '',
    ' ',
    'coordinator.test:4001',
    `/p2p/${peer}`,
    '/ip4/300.0.0.1/tcp/1',
    '/ip4/127.0.0.1/tcp/99999999',
    '/ip4/127.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
    '/ip4/127.0.0.1/tcp/1/p2p/nonsense',
    'x'.repeat(10_000),
  ])
    test(`refused: ${bad.slice(0, 60)}`, () => {
      assert.throws(
        () => parseAddress(bad),
        error => isCode(error, 'bad-address') && error.hint !== undefined && error.message.length < 400,
      )
    })

  test('an address without a peer is no target', () => {
    assert.throws(
      () => parseTarget('/ip4/127.0.0.1/tcp/1'),
      error => isCode(error, 'bad-address'),
    )
  })
})

describe('replies', () => {
  const bad = {
    empty: bytes(''),
    'not UTF-8': Uint8Array.of(0x22, 0xff, 0x22),
    'not JSON': bytes('{'),
    'neither ok nor failure': bytes('{"result":{}}'),
    'unknown field': bytes('{"ok":true,"result":{},"more":1}'),
    'unknown field inside': bytes('{"ok":true,"result":{"more":1}}'),
    'unknown code': bytes('{"ok":false,"code":"OOPS","message":""}'),
    'endless message': bytes(JSON.stringify({ ok: false, code: 'BUSY', message: 'x'.repeat(1_001) })),
    'byte order mark': bytes('\ufeff{"ok":true,"result":{}}'),
  }
  for (const [what, reply] of Object.entries(bad))
    test(`bad-reply: ${what}`, () => {
      assert.throws(
        () => decodeReply('release', reply),
        error => isCode(error, 'bad-reply'),
      )
    })

  test('a failure with a long or broken message still fits its schema', () => {
    for (const message of ['x'.repeat(5_000), '\ud800'.repeat(10), `${'x'.repeat(999)}😀`])
      assert.throws(
        () => decodeReply('release', encodeFailure(new CommandError('BUSY', message))),
        error => isCode(error, 'BUSY') && error instanceof CommandError && error.retryAfterMs === undefined,
      )
  })

  test('random bytes never make an answerer throw, and always give BAD_REQUEST', async () => {
    const answer = commandAnswerer('lease', () => assert.fail('must not be called'), silentLogger)
    const context = { peer, signal: new AbortController().signal }
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.json().map(bytes)), async request => {
        const reply = await answer(request, context)
        assert.throws(
          () => decodeReply('lease', reply),
          error => isCode(error, 'BAD_REQUEST'),
        )
      }),
      { seed: 20_261_107 },
    )
  })

  test('what is wrong fits on one short line', () => {
    const request = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`field ${index}`, 1]))
    const parsed = commands.lease.request.safeParse(request)
    assert.ok(parsed.error)
    assert.ok(describeIssues(parsed.error).length <= 500)
  })
})

describe('blob ranges', () => {
  const range = { sha256: sha256('abc'), offset: 0, length: 3 }

  test('a frame of another length or kind is corrupt', () => {
    for (const frame of [[], [0], [0, 1, 2], [0, 1, 2, 3, 4], [2, 1, 2, 3], [1, 1, 2, 3]])
      assert.throws(
        () => decodeRange(Uint8Array.from(frame), range),
        error => isCode(error, 'blob-corrupt'),
      )
    assert.deepEqual(decodeRange(Uint8Array.of(0, 1, 2, 3), range), Uint8Array.of(1, 2, 3))
  })

  test('bad ranges are answered with a failure and open nothing', async () => {
    const answer = rangeAnswerer(() => assert.fail('must not be opened'), peer, silentLogger)
    for (const request of [
      bytes('{}'),
      bytes(JSON.stringify({ ...range, length: 0 })),
      bytes(JSON.stringify({ ...range, length: limits.blobChunkBytes + 1 })),
      bytes(JSON.stringify({ ...range, offset: -1 })),
      bytes(JSON.stringify({ ...range, offset: 1e300 })),
      bytes(JSON.stringify({ ...range, sha256: '../../etc/passwd' })),
    ]) {
      const frame = await answer(request)
      assert.equal(frame[0], 1)
      assert.match(new TextDecoder().decode(frame.subarray(1)), /BAD_REQUEST/)
    }
  })

  test('ranges that follow each other open the blob once, another blob is opened anew', async () => {
    const opened: string[] = []
    const answer = rangeAnswerer(
      async name => {
        opened.push(name)
        return { size: 10, read: async (_, length) => new Uint8Array(length) }
      },
      peer,
      silentLogger,
    )
    await answer(encodeRange(range))
    await answer(encodeRange({ ...range, offset: 3 }))
    await answer(encodeRange({ ...range, sha256: sha256('other') }))
    await answer(encodeRange(range))
    assert.deepEqual(opened, [range.sha256, sha256('other'), range.sha256])
    const past = await answer(encodeRange({ ...range, offset: 8 }))
    assert.throws(
      () => decodeRange(past, range),
      error => isCode(error, 'blob-corrupt'),
    )
  })

  test('at most four ranges are asked for ahead', async () => {
    let asked = 0
    const size = 20 * limits.blobChunkBytes
    const pull = pullBlob({ sha256: sha256(new Uint8Array(size)), size }, async ({ length }) => {
      asked += 1
      return new Uint8Array(length)
    })
    let taken = 0
    for await (const _ of pull) {
      taken += 1
      assert.ok(asked <= taken + 4)
    }
    assert.deepEqual([taken, asked], [20, 20])
  })
})
