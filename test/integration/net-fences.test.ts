import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import * as lp from 'it-length-prefixed'
import { isCode } from '../../src/errors.ts'
import { identityFromSeed } from '../../src/identity.ts'
import { CommandError } from '../../src/net/command-error.ts'
import type { Libp2pNetwork } from '../../src/net/libp2p.ts'
import { createNode, defaultNodeLimits, type Node } from '../../src/net/node.ts'
import { advertProtocol, blobProtocol, commandProtocols } from '../../src/net/protocols.ts'
import { readable } from '../../src/net/stream.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { commands } from '../../src/wire/commands.ts'
import { clockHeldAt, noSignal, startNode } from '../helpers/libp2p-nodes.ts'
import { collect, pattern, readerOf, refOf, releaseRequest } from '../helpers/network-contract.ts'

// One test per trap of libp2p-and-style.md A2-A6, so that an upgrade that brings one back is noticed.

const slow = { timeout: 60_000 }

/** A node that speaks libp2p but none of our manners. */
async function startRaw(t: TestContext, number: number): Promise<Node> {
  const node = await createNode({
    identity: await identityFromSeed(new Uint8Array(32).fill(number)),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    role: 'volunteer',
    limits: { ...defaultNodeLimits, streamsPerConnection: 2_000 },
  })
  await node.start()
  t.after(() => node.stop())
  return node
}

async function start(t: TestContext, ...args: Parameters<typeof startNode>): Promise<Libp2pNetwork> {
  const network = await startNode(...args)
  t.after(() => network.stop())
  return network
}

async function dialRaw(
  node: Node,
  server: Libp2pNetwork,
  options: { force?: boolean } = {},
): Promise<Connection> {
  return node.dial(
    server.addresses().map(address => multiaddr(address)),
    options,
  )
}

const connect = (client: Libp2pNetwork, server: Libp2pNetwork) =>
  client.connect({ peer: server.self, addresses: server.addresses() }, noSignal)

const serveLease = (network: Libp2pNetwork) =>
  network.serve('lease', async () => ({ leases: [], retryAfterMs: 7 }))

async function assertAnswers(client: Libp2pNetwork, server: Libp2pNetwork): Promise<void> {
  assert.equal((await client.request(server.self, 'lease', { want: 1 })).retryAfterMs, 7)
}

/** Resolves when the stream is over, with how it ended. */
function ending(stream: Stream): Promise<string> {
  return new Promise(resolve => {
    if (stream.status !== 'open') resolve(stream.status)
    stream.addEventListener('close', () => resolve(stream.status))
  })
}

const malformed: Record<string, Uint8Array> = {
  'a length that never ends': new Uint8Array(100_000).fill(0xff),
  'a length of 256 MiB': Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01),
  'a length one over the limit': Uint8Array.of(0x81, 0x80, 0x40),
  'half a frame': Uint8Array.of(100, 1, 2, 3),
  nothing: new Uint8Array(0),
}
for (const [what, bytes] of Object.entries(malformed))
  test(`${what} costs a peer its stream, nobody else anything`, slow, async t => {
    const [server, client, raw] = await Promise.all([start(t, 1), start(t, 2), startRaw(t, 3)])
    serveLease(server)
    server.serveBlobs(async () => readerOf(pattern(10)))
    const connection = await dialRaw(raw, server)
    await connect(client, server)
    // More often than there are places: a place that is not given back would be missed.
    for (const protocol of [commandProtocols.lease.id, blobProtocol.id])
      for (let round = 0; round < 20; round += 1) {
        const stream = await connection.newStream(protocol)
        const ended = ending(stream)
        if (bytes.length > 0) stream.send(bytes)
        // A peer that stays silent is cut off by its deadline; this one says it is done.
        if (bytes.length < 5) stream.close().catch(() => {})
        assert.match(await ended, /reset|closed/)
      }
    await assertAnswers(client, server)
    const data = pattern(10)
    const [fetched] = await collect(client.fetchBlob(server.self, refOf(data)))
    assert.deepEqual(Buffer.from(fetched ?? ''), Buffer.from(data))
    assert.equal(connection.status, 'open')
  })

test('what is not JSON gets BAD_REQUEST', slow, async t => {
  const [server, raw] = await Promise.all([start(t, 1), startRaw(t, 3)])
  serveLease(server)
  const connection = await dialRaw(raw, server)
  for (const text of ['', '{', '{"want":1}{}', '\u0000', '"\ud800"']) {
    const stream = await connection.newStream(commandProtocols.lease.id)
    const io = lpStream(stream)
    await io.write(new TextEncoder().encode(text))
    const reply = JSON.parse(new TextDecoder().decode((await io.read()).subarray()))
    assert.deepEqual([reply.ok, reply.code], [false, 'BAD_REQUEST'])
    await stream.close()
  }
})

test('1,000 streams of one peer: a few live, the rest are reset, others are served', slow, async t => {
  const [server, client, raw] = await Promise.all([start(t, 1), start(t, 2), startRaw(t, 3)])
  serveLease(server)
  const connection = await dialRaw(raw, server)
  await connect(client, server)
  const opened = await Promise.allSettled(
    Array.from({ length: 1_000 }, () =>
      connection.newStream(commandProtocols.lease.id, { maxOutboundStreams: 2_000 }),
    ),
  )
  await assertAnswers(client, server)
  // Flush: the answer to a later ping comes after all resets.
  await connection.newStream('/pyti/ping/1.0.0').then(
    stream => stream.abort(new Error('done')),
    () => {},
  )
  const live = opened.filter(result => result.status === 'fulfilled' && result.value.status === 'open')
  assert.ok(live.length <= 2 * commandProtocols.lease.streams, `${live.length} live streams`)
})

test('a silent peer is cut off by the deadline', slow, async t => {
  const { clock, release } = clockHeldAt(30_000)
  const [server, raw] = await Promise.all([start(t, 1, { clock }), startRaw(t, 3)])
  serveLease(server)
  const connection = await dialRaw(raw, server)
  const stream = await connection.newStream(commandProtocols.lease.id)
  const ended = ending(stream)
  stream.send(Uint8Array.of(50, 1))
  release()
  assert.equal(await ended, 'reset')
})

test('a handler that hangs: the caller gets timeout, the handler is told', slow, async t => {
  const { clock, release } = clockHeldAt(commands.lease.timeoutMs)
  const [server, client] = await Promise.all([start(t, 1), start(t, 2, { clock })])
  const told = Promise.withResolvers<void>()
  server.serve('lease', (_, { signal }) => {
    signal.addEventListener('abort', () => told.resolve())
    release()
    return Promise.race([])
  })
  await connect(client, server)
  await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error => isCode(error, 'timeout'))
  await told.promise
})

test('a peer that asks too often is told to wait, and others are not affected', slow, async t => {
  const [server, greedy, client] = await Promise.all([
    start(t, 1, { clock: { now: () => 0, sleep: () => Promise.race([]) } }),
    start(t, 2),
    start(t, 3),
  ])
  server.serve('hello', async () => ({
    version: 1,
    reportKey: server.self,
    logKey: 'log.example+00000000+key',
    software: 'test',
  }))
  const hello = { version: 1, slots: 0, backends: [], cpu: 'unknown', leases: [] }
  await Promise.all([connect(greedy, server), connect(client, server)])
  const { burst, perSecond } = commandProtocols.hello.quota
  for (let call = 0; call < burst; call += 1) await greedy.request(server.self, 'hello', hello)
  await assert.rejects(
    greedy.request(server.self, 'hello', hello),
    error =>
      error instanceof CommandError &&
      error.code === 'RATE_LIMITED' &&
      error.retryAfterMs === 1_000 / perSecond,
  )
  await greedy.disconnect(server.self)
  await connect(greedy, server)
  await assert.rejects(greedy.request(server.self, 'hello', hello), error => isCode(error, 'RATE_LIMITED'))
  await client.request(server.self, 'hello', hello)
})

test('an answer that is no frame or no JSON is bad-reply, none is unreachable', slow, async t => {
  const [client, raw] = await Promise.all([start(t, 1), startRaw(t, 3)])
  let answer: (stream: Stream) => void = () => {}
  await raw.handle(commandProtocols.lease.id, stream => answer(stream))
  await client.connect({ peer: raw.peerId.toString(), addresses: raw.getMultiaddrs().map(String) }, noSignal)
  const ask = () => client.request(raw.peerId.toString(), 'lease', { want: 1 })
  const send = (bytes: Uint8Array) => (stream: Stream) => {
    stream.send(bytes)
    stream.close().catch(() => {})
  }
  const cases: [(stream: Stream) => void, string][] = [
    [send(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01)), 'bad-reply'],
    [send(new Uint8Array(1_000).fill(0xff)), 'bad-reply'],
    [send(lp.encode.single(new TextEncoder().encode('{"ok":1}')).subarray()), 'bad-reply'],
    [send(lp.encode.single(new TextEncoder().encode('nonsense')).subarray()), 'bad-reply'],
    [send(Uint8Array.of(50, 1, 2)), 'unreachable'],
    [stream => void stream.close().catch(() => {}), 'unreachable'],
    [stream => stream.abort(new Error('no')), 'unreachable'],
  ]
  for (const [behaviour, code] of cases) {
    answer = behaviour
    for (let round = 0; round < 5; round += 1) await assert.rejects(ask(), error => isCode(error, code))
  }
})

test('malformed adverts end the subscription with bad-reply', slow, async t => {
  const [client, raw] = await Promise.all([start(t, 1), startRaw(t, 3)])
  let bytes = new Uint8Array(0)
  await raw.handle(advertProtocol.id, stream => {
    stream.send(bytes)
  })
  const peer = raw.peerId.toString()
  await client.connect({ peer, addresses: raw.getMultiaddrs().map(String) }, noSignal)
  const text = (json: string) => Uint8Array.from(lp.encode.single(new TextEncoder().encode(json)).subarray())
  const good = text('{"open":1,"sequence":1}')
  for (const bad of [
    text('{}'),
    text('{"open":-1,"sequence":1}'),
    Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01),
    new Uint8Array(100).fill(0xff),
  ]) {
    bytes = Uint8Array.from([...good, ...bad])
    let seen = 0
    await assert.rejects(
      async () => {
        for await (const _ of client.adverts(peer, { signal: noSignal })) seen += 1
      },
      error => isCode(error, 'bad-reply'),
    )
    assert.equal(seen, 1)
  }
})

test('a peer that writes on its advert stream loses it', slow, async t => {
  const [server, raw] = await Promise.all([start(t, 1), startRaw(t, 3)])
  const connection = await dialRaw(raw, server)
  const stream = await connection.newStream(advertProtocol.id)
  const ended = ending(stream)
  stream.send(new Uint8Array(10))
  assert.equal(await ended, 'reset')
  server.publish({ sequence: 1, open: 0 })
})

test('the wrong peer at an address is named, and not kept', slow, async t => {
  const [client, other, pinned] = await Promise.all([start(t, 1), start(t, 2), start(t, 3)])
  const [address = ''] = other.addresses().map(text => text.split('/p2p/')[0] ?? '')
  await assert.rejects(
    client.connect({ peer: pinned.self, addresses: [address] }, noSignal),
    error =>
      isCode(error, 'wrong-peer') &&
      error.message === `the node at ${address} is ${other.self}, not the pinned ${pinned.self}`,
  )
  assert.equal(client.isConnected(other.self), false)
  const both = [address, ...pinned.addresses()]
  await client.connect({ peer: pinned.self, addresses: both }, noSignal)
  assert.equal(client.isConnected(pinned.self), true)
})

test('many connections of one peer become two, and count as one peer', slow, async t => {
  const [server, raw] = await Promise.all([start(t, 1), startRaw(t, 3)])
  const states: string[] = []
  const gone = Promise.withResolvers<void>()
  server.onPeer((_, state) => {
    states.push(state)
    if (state === 'disconnected') gone.resolve()
  })
  const connections: Connection[] = []
  for (let count = 0; count < 8; count += 1) {
    const connection = await dialRaw(raw, server, { force: true }).catch(() => undefined)
    if (connection) connections.push(connection)
  }
  serveLease(server)
  const newest = connections.at(-1)
  assert.ok(newest)
  const io = lpStream(await newest.newStream(commandProtocols.lease.id))
  await io.write(new TextEncoder().encode('{"want":1}'))
  assert.match(new TextDecoder().decode((await io.read()).subarray()), /"ok":true/)
  assert.ok(connections.filter(connection => connection.status === 'open').length <= 2)
  await raw.stop()
  await gone.promise
  assert.deepEqual(states, ['connected', 'disconnected'])
})

test('30 peers of one address may connect within a second', slow, async t => {
  const server = await start(t, 1)
  serveLease(server)
  const peers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => start(t, 10 + index, { role: 'volunteer', listen: [] })),
  )
  await Promise.all(peers.map(peer => connect(peer, server)))
  await Promise.all(peers.map(peer => assertAnswers(peer, server)))
})

test('a banned peer gets no connection', slow, async t => {
  const banned = await start(t, 2)
  const server = await start(t, 1, { isBanned: peer => peer === banned.self })
  serveLease(server)
  await connect(banned, server).catch(() => {})
  await assert.rejects(banned.request(server.self, 'lease', { want: 1 }), error =>
    isCode(error, 'unreachable'),
  )
})

test(
  'a stream is read whole by a slow reader, its end included, and the writer has to wait',
  slow,
  async t => {
    const [sender, receiver] = await Promise.all([startRaw(t, 1), startRaw(t, 2)])
    const data = pattern(8 * 1024 * 1024)
    let written = 0
    await receiver.handle('/test/1', async stream => {
      const io = lpStream(stream)
      for (; written < data.length; written += 65_536)
        await io.write(data.subarray(written, written + 65_536))
      await stream.close()
    })
    const stream = await (await sender.dial(receiver.getMultiaddrs())).newStream('/test/1')
    const pieces: Uint8Array[] = []
    let ahead = 0
    let received = 0
    for await (const frame of lp.decode(readable(stream), { maxDataLength: 65_536 })) {
      pieces.push(frame.subarray())
      received += frame.byteLength
      // Let everything the sender can send arrive before the next piece is taken.
      for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve))
      ahead = Math.max(ahead, written - received)
    }
    assert.equal(sha256(Buffer.concat(pieces)), sha256(data))
    assert.ok(ahead < 5 * 1024 * 1024, `the sender was ${ahead} bytes ahead`)
  },
)

test('a reset stream is an error to its reader, also to one who comes late', slow, async t => {
  const [sender, receiver] = await Promise.all([startRaw(t, 1), startRaw(t, 2)])
  await receiver.handle('/test/1', stream => {
    stream.addEventListener('message', () => stream.abort(new Error('no more')))
  })
  const stream = await (await sender.dial(receiver.getMultiaddrs())).newStream('/test/1')
  stream.send(new Uint8Array(10))
  await assert.rejects(readable(stream).next(), /reset/)
  await assert.rejects(readable(stream).next(), /reset/)
})

test('a port in use is a clear error', slow, async t => {
  const first = await start(t, 1)
  const [taken = ''] = first.addresses().map(text => text.split('/p2p/')[0] ?? '')
  await assert.rejects(
    startNode(2, { listen: [taken] }),
    error => isCode(error, 'listen-failed') && error.message.includes(taken) && error.hint !== undefined,
  )
})

test('handlers of `prepare` are there for the first peer', slow, async t => {
  const server = await start(t, 1, { prepare: serveLease })
  const client = await start(t, 2)
  await connect(client, server)
  await assertAnswers(client, server)
  await assert.rejects(client.request(server.self, 'release', releaseRequest), error =>
    isCode(error, 'UNSUPPORTED_VERSION'),
  )
})
