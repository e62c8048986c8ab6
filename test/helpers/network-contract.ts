import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isCode, PytiError } from '../../src/errors.ts'
import { CommandError } from '../../src/net/command-error.ts'
import type { BlobReader, BlobRef, Network } from '../../src/net/network.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import type { Advert, CommandReply, CommandRequest } from '../../src/wire/commands.ts'
import { limits } from '../../src/wire/limits.ts'

/** Two connected nodes. */
export interface Pair {
  server: Network
  client: Network
  /** Ends the connection between the two. */
  cut(): Promise<void>
  reconnect(): Promise<void>
  close(): Promise<void>
}

export const releaseRequest: CommandRequest<'release'> = {
  lease: '00'.repeat(16),
  reason: 'shutdown',
  message: 'grüße',
}
const helloReply = (peer: string): CommandReply<'hello'> => ({
  version: 1,
  reportKey: peer,
  logKey: 'log.example+00000000+key',
  software: 'test',
})
const helloRequest: CommandRequest<'hello'> = {
  version: 1,
  slots: 1,
  backends: ['tcg'],
  cpu: 'unknown',
  leases: [],
}

/** What every adapter of the `Network` port must do. */
export function runNetworkContract(name: string, connect: () => Promise<Pair>): void {
  const it = (what: string, body: (pair: Pair) => Promise<void>) =>
    test(what, { timeout: 30_000 }, async () => {
      const pair = await connect()
      try {
        await body(pair)
      } finally {
        await pair.close()
      }
    })
  describe(`${name}: commands`, () => commandContract(it))
  describe(`${name}: blobs`, () => blobContract(it))
  describe(`${name}: adverts`, () => advertContract(it))
  describe(`${name}: peers`, () => peerContract(it))
}

type It = (what: string, body: (pair: Pair) => Promise<void>) => void

function commandContract(it: It): void {
  it('the handler gets the request and who asks; the caller gets the reply', async ({ server, client }) => {
    const seen: unknown[] = []
    server.serve('release', async (request, { peer }) => {
      seen.push(request, peer)
      return {}
    })
    assert.deepEqual(await client.request(server.self, 'release', releaseRequest), {})
    assert.deepEqual(seen, [releaseRequest, client.self])
  })

  it('both sides can ask', async ({ server, client }) => {
    client.serve('hello', async () => helloReply(client.self))
    assert.deepEqual(await server.request(client.self, 'hello', helloRequest), helloReply(client.self))
  })

  it('many requests at once each get their own reply', async ({ server, client }) => {
    server.serve('status', async ({ job }) => jobStatus(job, 1))
    const jobs = Array.from({ length: 50 }, (_, index) => sha256(String(index)))
    const replies = await Promise.all(jobs.map(job => client.request(server.self, 'status', { job })))
    assert.deepEqual(
      replies.map(reply => reply.job),
      jobs,
    )
  })

  it('a CommandError arrives with its code, message and wait', async ({ server, client }) => {
    server.serve('lease', async () => {
      throw new CommandError('BUSY', 'no room', { retryAfterMs: 1_500 })
    })
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error => {
      assert.ok(error instanceof CommandError)
      assert.deepEqual([error.code, error.message, error.retryAfterMs], ['BUSY', 'no room', 1_500])
      return true
    })
  })

  it('any other failure of the handler arrives as INTERNAL and says nothing more', async ({
    server,
    client,
  }) => {
    server.serve('lease', async () => {
      throw new Error('the secret path /home/someone')
    })
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error => {
      assert.ok(error instanceof CommandError)
      assert.equal(error.code, 'INTERNAL')
      assert.doesNotMatch(`${error.message} ${error.stack}`, /secret/)
      return true
    })
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), isCommand('INTERNAL'))
  })

  it('a command nobody serves is UNSUPPORTED_VERSION', async ({ server, client }) => {
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), isCommand('UNSUPPORTED_VERSION'))
  })

  it('a request that does not fit the schema is BAD_REQUEST and never reaches the handler', async pair => {
    const { server, client } = pair
    let calls = 0
    server.serve('lease', async () => {
      calls += 1
      return { leases: [], retryAfterMs: 0 }
    })
    for (const bad of [{ want: 0 }, { want: 1, extra: true }, {}, null, [], 'text'])
      await assert.rejects(
        client.request(server.self, 'lease', bad as CommandRequest<'lease'>),
        error => isCommand('BAD_REQUEST')(error) && error instanceof Error && error.message.length < 1_000,
      )
    assert.equal(calls, 0)
  })

  it('what has no JSON form is not sent', async ({ server, client }) => {
    server.serve('lease', async () => ({ leases: [], retryAfterMs: 0 }))
    await assert.rejects(client.request(server.self, 'lease', { want: 0.5 }), error =>
      isCode(error, 'not-json'),
    )
  })

  it('a reply that does not fit the schema is bad-reply', async ({ server, client }) => {
    server.serve('lease', async () => ({ leases: 'none' }) as unknown as CommandReply<'lease'>)
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error =>
      isCode(error, 'bad-reply'),
    )
  })

  it('a request that is too large is refused before it is sent', async ({ server, client }) => {
    server.serve('raw-data', async () => ({ attestation: sha256(''), receipt: 'receipt' }))
    const envelope = { payloadType: 'text', payload: 'A'.repeat(limits.messageBytes), signatures: [] }
    await assert.rejects(
      client.request(server.self, 'raw-data', { lease: releaseRequest.lease, envelope }),
      isCommand('TOO_LARGE'),
    )
    const fits = { ...envelope, payload: 'A'.repeat(limits.messageBytes - 1_000) }
    const reply = await client.request(server.self, 'raw-data', {
      lease: releaseRequest.lease,
      envelope: fits,
    })
    assert.deepEqual(reply, { attestation: sha256(''), receipt: 'receipt' })
  })

  it('a reply that is too large is TOO_LARGE, one that just fits arrives', async ({ server, client }) => {
    let seats = 0
    server.serve('status', async ({ job }) => jobStatus(job, seats))
    seats = 13_000
    await assert.rejects(client.request(server.self, 'status', { job: sha256('') }), isCommand('TOO_LARGE'))
    seats = 12_000
    const reply = await client.request(server.self, 'status', { job: sha256('') })
    assert.equal(reply.seats.length, 12_000)
  })

  it('the caller may give up; the handler is told', async ({ server, client }) => {
    const told = Promise.withResolvers<void>()
    const abort = new AbortController()
    server.serve('lease', async (_, { signal }) => {
      signal.addEventListener('abort', () => told.resolve(), { once: true })
      abort.abort(new Error('enough'))
      await told.promise
      return { leases: [], retryAfterMs: 0 }
    })
    await assert.rejects(
      client.request(server.self, 'lease', { want: 1 }, { signal: abort.signal }),
      /enough/,
    )
    await told.promise
    const gone = AbortSignal.abort(new Error('never began'))
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }, { signal: gone }), /never began/)
  })

  it('a lost connection ends the request as unreachable, and tells the handler', async pair => {
    const { server, client } = pair
    const told = Promise.withResolvers<void>()
    server.serve('lease', (_, { signal }) => {
      signal.addEventListener('abort', () => told.resolve(), { once: true })
      void pair.cut()
      return Promise.race([])
    })
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error =>
      isCode(error, 'unreachable'),
    )
    await told.promise
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error =>
      isCode(error, 'unreachable'),
    )
  })

  it('a peer nobody is connected to is unreachable', async ({ client }) => {
    const stranger = '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq'
    await assert.rejects(client.request(stranger, 'lease', { want: 1 }), error =>
      isCode(error, 'unreachable'),
    )
    const drain = () => collect(client.fetchBlob(stranger, { sha256: sha256('a'), size: 1 }))
    await assert.rejects(drain, error => isCode(error, 'unreachable'))
    const first = () =>
      client.adverts(stranger, { signal: AbortSignal.abort() })[Symbol.asyncIterator]().next()
    assert.equal((await first()).done, true)
  })

  it('a command is served once', async ({ server }) => {
    server.serve('lease', async () => ({ leases: [], retryAfterMs: 0 }))
    assert.throws(
      () => server.serve('lease', async () => ({ leases: [], retryAfterMs: 0 })),
      error => isCode(error, 'already-served'),
    )
  })
}

function blobContract(it: It): void {
  for (const size of [0, 1, limits.blobChunkBytes, limits.blobChunkBytes + 1, 5 * 1024 * 1024])
    it(`${size} bytes arrive whole and in order`, async ({ server, client }) => {
      const data = pattern(size)
      server.serveBlobs(async name => (name === sha256(data) ? readerOf(data) : undefined))
      const chunks = await collect(client.fetchBlob(server.self, refOf(data)))
      assert.equal(Buffer.compare(Buffer.concat(chunks), data), 0)
      assert.ok(chunks.every(chunk => chunk.length > 0 && chunk.length <= limits.blobChunkBytes))
    })

  it('the server learns who asks and may refuse', async ({ server, client }) => {
    const asked: string[] = []
    server.serveBlobs(async (name, peer) => {
      asked.push(`${name} ${peer}`)
      return undefined
    })
    await assert.rejects(collect(client.fetchBlob(server.self, refOf(pattern(10)))), blobCode('blob-missing'))
    assert.deepEqual(asked, [`${sha256(pattern(10))} ${client.self}`])
  })

  it('a node without blobs has none', async ({ server, client }) => {
    await assert.rejects(collect(client.fetchBlob(server.self, refOf(pattern(10)))), blobCode('blob-missing'))
  })

  it('an empty blob under another digest is corrupt', async ({ server, client }) => {
    server.serveBlobs(async () => readerOf(new Uint8Array(0)))
    const blob = { sha256: sha256('x'), size: 0 }
    await assert.rejects(collect(client.fetchBlob(server.self, blob)), blobCode('blob-corrupt'))
  })

  it('one wrong bit is corrupt, and the last chunk is kept back', async ({ server, client }) => {
    const data = pattern(1_000_000)
    const wrong = Uint8Array.from(data)
    wrong[3] = (wrong[3] ?? 0) ^ 1
    server.serveBlobs(async () => readerOf(wrong))
    let received = 0
    await assert.rejects(async () => {
      for await (const chunk of client.fetchBlob(server.self, refOf(data))) received += chunk.length
    }, blobCode('blob-corrupt'))
    assert.ok(received < data.length)
  })

  for (const [what, size] of [
    ['shorter', 900_000],
    ['longer', 1_100_000],
  ] as const)
    it(`a blob that is ${what} there than said is corrupt`, async ({ server, client }) => {
      server.serveBlobs(async () => readerOf(pattern(size)))
      const blob = { sha256: sha256(pattern(size)), size: 1_000_000 }
      await assert.rejects(collect(client.fetchBlob(server.self, blob)), blobCode('blob-corrupt'))
    })

  it('a reader that lies about its length or throws does not reach the caller as data', async ({
    server,
    client,
  }) => {
    const data = pattern(300_000)
    let fault: 'short' | 'throw' = 'short'
    server.serveBlobs(async () => ({
      size: data.length,
      read: async (offset, length) => {
        if (fault === 'throw') throw new Error('disk /dev/secret')
        return data.subarray(offset, offset + length - 1)
      },
    }))
    await assert.rejects(collect(client.fetchBlob(server.self, refOf(data))), blobCode('unreachable'))
    fault = 'throw'
    await assert.rejects(
      collect(client.fetchBlob(server.self, refOf(data))),
      error => blobCode('unreachable')(error) && error instanceof Error && !error.message.includes('secret'),
    )
  })

  it('a peer that dies midway is unreachable', async pair => {
    const data = pattern(4_000_000)
    pair.server.serveBlobs(async () => ({
      size: data.length,
      read: async (offset, length) => {
        if (offset < 1_000_000) return data.subarray(offset, offset + length)
        await pair.cut()
        return Promise.race([])
      },
    }))
    await assert.rejects(
      collect(pair.client.fetchBlob(pair.server.self, refOf(data))),
      blobCode('unreachable'),
    )
  })

  it('ranges are read ahead of a slow consumer only a little, and it may stop half-way', async pair => {
    const { server, client } = pair
    const data = pattern(8 * 1024 * 1024)
    let furthest = 0
    server.serveBlobs(async () => ({
      size: data.length,
      read: async (offset, length) => {
        furthest = Math.max(furthest, offset + length)
        return data.subarray(offset, offset + length)
      },
    }))
    let taken = 0
    for await (const chunk of client.fetchBlob(server.self, refOf(data))) {
      taken += chunk.length
      if (taken >= 1024 * 1024) break
    }
    assert.ok(furthest <= taken + 4 * limits.blobChunkBytes, `${furthest} read, ${taken} taken`)
    const again = await collect(client.fetchBlob(server.self, refOf(data)))
    assert.equal(sha256(Buffer.concat(again)), sha256(data))
  })

  it('several blobs at once', async ({ server, client }) => {
    const blobs = Array.from({ length: 12 }, (_, index) => pattern(300_000 + index))
    server.serveBlobs(async name => {
      const found = blobs.find(blob => sha256(blob) === name)
      return found && readerOf(found)
    })
    const all = await Promise.all(blobs.map(blob => collect(client.fetchBlob(server.self, refOf(blob)))))
    assert.deepEqual(
      all.map(chunks => sha256(Buffer.concat(chunks))),
      blobs.map(blob => sha256(blob)),
    )
  })

  it('the caller may give up', async ({ server, client }) => {
    const data = pattern(4_000_000)
    const abort = new AbortController()
    server.serveBlobs(async () => ({
      size: data.length,
      read: async (offset, length) => {
        if (offset > 1_000_000) abort.abort(new Error('enough'))
        return data.subarray(offset, offset + length)
      },
    }))
    const drain = () => collect(client.fetchBlob(server.self, refOf(data), { signal: abort.signal }))
    await assert.rejects(drain, /enough/)
  })
}

function advertContract(it: It): void {
  it('the last one published comes first, then each new one', async ({ server, client }) => {
    server.publish({ sequence: 1, open: 5 })
    server.publish({ sequence: 2, open: 6 })
    const abort = new AbortController()
    const adverts = client.adverts(server.self, { signal: abort.signal })[Symbol.asyncIterator]()
    assert.deepEqual((await adverts.next()).value, { sequence: 2, open: 6 })
    server.publish({ sequence: 3, open: 7 })
    assert.deepEqual((await adverts.next()).value, { sequence: 3, open: 7 })
    const last = adverts.next()
    abort.abort()
    assert.equal((await last).done, true)
  })

  it('a subscriber that comes before the first advert gets it', async ({ server, client }) => {
    const abort = new AbortController()
    const adverts = client.adverts(server.self, { signal: abort.signal })[Symbol.asyncIterator]()
    const first = adverts.next()
    server.serve('lease', async () => ({ leases: [], retryAfterMs: 0 }))
    await client.request(server.self, 'lease', { want: 1 })
    server.publish({ sequence: 1, open: 1 })
    assert.deepEqual((await first).value, { sequence: 1, open: 1 })
    abort.abort()
  })

  it('a slow reader misses some, never gets one twice, and ends up with the newest', async ({
    server,
    client,
  }) => {
    const total = 20_000
    server.publish({ sequence: 0, open: 0 })
    const abort = new AbortController()
    const seen: number[] = []
    for await (const advert of client.adverts(server.self, { signal: abort.signal })) {
      if (seen.length === 0)
        for (let sequence = 1; sequence < total; sequence += 1) server.publish({ sequence, open: 0 })
      seen.push(advert.sequence)
      if (advert.sequence === total - 1) abort.abort()
    }
    assert.ok(seen.length < total, 'some must be dropped')
    assert.ok(seen.every((sequence, index) => index === 0 || sequence > (seen[index - 1] ?? -1)))
    assert.equal(seen.at(-1), total - 1)
  })

  it('a newer subscription of the same peer ends the older one', async ({ server, client }) => {
    server.publish({ sequence: 1, open: 0 })
    const abort = new AbortController()
    const older = client.adverts(server.self, { signal: abort.signal })[Symbol.asyncIterator]()
    await older.next()
    const newer = client.adverts(server.self, { signal: abort.signal })[Symbol.asyncIterator]()
    assert.equal((await newer.next()).value?.sequence, 1)
    assert.equal((await older.next()).done, true)
    server.publish({ sequence: 2, open: 0 })
    assert.equal((await newer.next()).value?.sequence, 2)
    abort.abort()
  })

  it('they end with the connection, and can be subscribed to again', async pair => {
    const { server, client } = pair
    server.publish({ sequence: 1, open: 0 })
    const signal = new AbortController().signal
    const seen: Advert[] = []
    for await (const advert of client.adverts(server.self, { signal })) {
      seen.push(advert)
      await pair.cut()
    }
    await pair.reconnect()
    server.publish({ sequence: 2, open: 0 })
    for await (const advert of client.adverts(server.self, { signal })) {
      seen.push(advert)
      break
    }
    assert.deepEqual(
      seen.map(advert => advert.sequence),
      [1, 2],
    )
  })

  it('only a well-formed advert can be published', async ({ server }) => {
    for (const bad of [{ sequence: -1, open: 0 }, { sequence: 1 }, { sequence: 1.5, open: 0 }])
      assert.throws(() => server.publish(bad as Advert))
  })
}

function peerContract(it: It): void {
  it('a lost and a new connection are reported to both sides, until the listener is removed', async pair => {
    const { server, client } = pair
    const events: string[] = []
    const next = eventQueue(events)
    const stopServer = server.onPeer((peer, state) => next(`server: ${peer === client.self} ${state}`))
    const stopClient = client.onPeer((peer, state) => next(`client: ${peer === server.self} ${state}`))
    await pair.cut()
    await next.count(2)
    await pair.reconnect()
    await next.count(4)
    assert.deepEqual(events.slice(0, 2).sort(), ['client: true disconnected', 'server: true disconnected'])
    assert.deepEqual(events.slice(2).sort(), ['client: true connected', 'server: true connected'])
    stopServer()
    stopClient()
    await pair.cut()
    await pair.reconnect()
    assert.equal(events.length, 4)
  })

  it('stopping is seen by the others, and stopping twice is fine', async ({ server, client }) => {
    const gone = Promise.withResolvers<void>()
    client.onPeer((peer, state) => {
      if (peer === server.self && state === 'disconnected') gone.resolve()
    })
    await Promise.all([server.stop(), server.stop()])
    await gone.promise
    await assert.rejects(client.request(server.self, 'lease', { want: 1 }), error =>
      isCode(error, 'unreachable'),
    )
    await server.stop()
  })
}

function eventQueue(events: string[]): ((event: string) => void) & { count(n: number): Promise<void> } {
  let wake = () => {}
  const add = (event: string) => {
    events.push(event)
    wake()
  }
  const count = async (n: number) => {
    while (events.length < n)
      await new Promise<void>(resolve => {
        wake = resolve
      })
  }
  return Object.assign(add, { count })
}

const isCommand = (code: string) => (error: unknown) => error instanceof CommandError && error.code === code
const blobCode = (code: string) => (error: unknown) => error instanceof PytiError && error.code === code

function jobStatus(job: string, seats: number): CommandReply<'status'> {
  const subject = {
    project: 'sample',
    version: '1.0',
    filename: 'sample-1.0.tar.gz',
    kind: 'sdist' as const,
    sha256: sha256('sample'),
    size: 6,
  }
  const seat = {
    volunteer: '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq',
    state: 'leased' as const,
  }
  return {
    job,
    subject,
    phase: 'queued',
    seats: Array.from({ length: seats }, () => seat),
    wantsVolunteers: 0,
  }
}

/** Bytes that differ from range to range. */
export function pattern(size: number): Uint8Array {
  return Uint8Array.from(
    { length: size },
    (_, index) => (index * 31 + (index >> 8) * 17 + (index >> 16)) & 0xff,
  )
}

export function refOf(data: Uint8Array): BlobRef {
  return { sha256: sha256(data), size: data.length }
}

export function readerOf(data: Uint8Array): BlobReader {
  return { size: data.length, read: async (offset, length) => data.subarray(offset, offset + length) }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return chunks
}
