import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { streamPair } from '@libp2p/utils'
import fc from 'fast-check'
import { silentLogger } from '../../src/logger.ts'
import { parseAddress, parseTarget } from '../../src/net/addresses.ts'
import { decodeAdverts, frameAdvert } from '../../src/net/adverts.ts'
import { type BlobRange, decodeRange, encodeRange, pullBlob, rangeAnswerer } from '../../src/net/blobs.ts'
import { CommandError } from '../../src/net/command-error.ts'
import { frames, isMalformedFrame, readFrame } from '../../src/net/exchange.ts'
import { commandAnswerer, decodeReply, encodeFailure } from '../../src/net/rpc.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import {
  CommandErrorCode,
  type CommandName,
  type CommandReply,
  type CommandRequest,
  commands,
} from '../../src/wire/commands.ts'
import { limits } from '../../src/wire/limits.ts'
import { chunked, fuzz, mutatedBytes, mutatedJson, mutatedText, outcomeOf } from '../helpers/fuzz.ts'
import { testIdentity, testJob, testSubject } from '../helpers/raw-data.ts'
import { smallManifest } from '../helpers/small-image.ts'

const { peerId } = testIdentity('one')
const sha = 'a'.repeat(64)
const lease = '0'.repeat(32)
const envelope = { payloadType: 't', payload: 'YQ==', signatures: [{ keyid: 'k', sig: 'YQ==' }] }
const note = 'log.example\n1\nAAAA\n\n\u2014 log.example AAAA\n'
/** One of each; the fuzzed ones begin as what is right. */
const samples: { [N in CommandName]: { request: CommandRequest<N>; reply: CommandReply<N> } } = {
  hello: {
    request: { version: 2, slots: 2, backends: ['uml'], cpu: 'x86-64-v3', leases: [lease] },
    reply: { version: 2, reportKey: peerId, logKey: 'log.example+00000000+AAAA', software: 'pyti' },
  },
  lease: {
    request: { want: 3 },
    reply: { leases: [{ id: lease, job: testJob(), remainingMs: 5 }], retryAfterMs: 0 },
  },
  release: { request: { lease, reason: 'vm-crash', message: 'why' }, reply: {} },
  'raw-data': { request: { lease, envelope }, reply: { attestation: sha, receipt: note } },
  submit: {
    request: { subject: testSubject(), origin: 'index', tasks: ['build'], python: '3.13' },
    reply: { job: sha },
  },
  'log-head': { request: { size: 3 }, reply: { checkpoint: note, proof: ['AAAA'] } },
  'log-proof': { request: { attestation: sha }, reply: { proof: note } },
  'add-checkpoint': { request: { body: note }, reply: { status: 200, body: note } },
  status: {
    request: { job: sha },
    reply: {
      job: sha,
      subject: testSubject(),
      phase: 'queued',
      seats: [{ volunteer: peerId, state: 'lost' }],
      wantsVolunteers: 1,
    },
  },
  image: { request: { id: sha }, reply: smallManifest() },
  report: {
    request: { filename: 'a-1.zip' },
    reply: {
      reports: [
        {
          job: sha,
          subject: testSubject(),
          bundle: { name: 'b', sha256: sha, size: 1 },
          attestation: sha,
          sequence: 1,
          withdrawn: false,
        },
      ],
    },
  },
}
const names = Object.keys(commands) as CommandName[]
const name = fc.constantFrom(...names)
/** A command, and bytes that come from a request (or reply) of it, or of another one. */
const sent = (of: (command: CommandName) => unknown) =>
  fc.oneof(
    name.chain(command => fc.tuple(fc.constant(command), asBytes([of(command)]))),
    fc.tuple(name, asBytes(names.map(of))),
  )
const asBytes = (values: unknown[]) =>
  fc.oneof(
    mutatedJson(values).map(value => Buffer.from(JSON.stringify(value) ?? '')),
    mutatedBytes(values.map(canonicalBytes)),
  )

/** Failures of the codes that a command of this kind may end with. */
const failures = [...CommandErrorCode.options, 'bad-reply']
async function replyOf(command: CommandName, bytes: Uint8Array): Promise<string | undefined> {
  try {
    decodeReply(command, bytes)
    return undefined
  } catch (error) {
    return error instanceof CommandError
      ? error.code
      : (
          await outcomeOf(failures, () => {
            throw error
          })
        ).refused
  }
}

fuzz(
  'every request is answered, and what reaches a handler can be sent on',
  sent(command => samples[command].request),
  1_000,
  async ([command, bytes]) => {
    let taken: unknown
    const answer = commandAnswerer(
      command,
      request => {
        taken = request
        throw new CommandError('NOT_FOUND', 'this is a test')
      },
      silentLogger,
    )
    const reply = await answer(bytes, { peer: peerId, signal: new AbortController().signal })
    assert.equal(await replyOf(command, reply), taken === undefined ? 'BAD_REQUEST' : 'NOT_FOUND')
    if (taken !== undefined) canonicalBytes(taken)
  },
)

test('the samples are what their commands take', async () => {
  for (const command of names) {
    assert.ok(commands[command].request.safeParse(samples[command].request).success, command)
    const whole = canonicalBytes({ ok: true, result: samples[command].reply })
    assert.equal(await replyOf(command, whole), undefined, command)
  }
})

fuzz(
  'every reply is taken or refused',
  sent(command => ({ ok: true, result: samples[command].reply })),
  1_000,
  async ([command, bytes]) => {
    await replyOf(command, bytes)
  },
)

const adverts = Buffer.concat(
  [1, 2, 300].map(sequence => frameAdvert(canonicalBytes({ sequence, open: sequence }))),
)
fuzz(
  'adverts are read, or the stream ends',
  fc.tuple(mutatedBytes([adverts]), fc.array(fc.integer({ min: 1, max: 40 }))),
  500,
  async ([bytes, lengths]) => {
    let read = 0
    try {
      for await (const { sequence, open } of decodeAdverts(chunked(bytes, lengths))) {
        assert.ok(sequence >= 0 && open >= 0)
        read += 1
      }
    } catch (error) {
      const isEnd = error instanceof Error && error.name === 'UnexpectedEOFError'
      if (!isEnd && !isMalformedFrame(error))
        await outcomeOf(['bad-reply'], () => {
          throw error
        })
    }
    assert.ok(read <= bytes.length)
  },
)

const range: BlobRange = { sha256: sha, offset: 5, length: 20 }
const blobCodes = ['blob-missing', 'blob-corrupt', 'unreachable']
const rangeFrames = [
  Buffer.concat([Uint8Array.of(0), Buffer.alloc(20, 7)]),
  ...(['NOT_FOUND', 'CONFLICT', 'BUSY'] as const).map(code =>
    Buffer.concat([Uint8Array.of(1), encodeFailure(new CommandError(code, 'no'))]),
  ),
]
fuzz('a frame is the range asked for, or refused', mutatedBytes(rangeFrames), 500, async bytes => {
  const { value } = await outcomeOf(blobCodes, () => decodeRange(bytes, range))
  if (value) assert.equal(value.length, range.length)
})

fuzz(
  'every request for a range is answered',
  asBytes([range, { ...range, offset: 0, length: limits.blobChunkBytes }]),
  500,
  async bytes => {
    const data = Buffer.alloc(100, 9)
    const reader = {
      size: data.length,
      read: async (offset: number, length: number) => data.subarray(offset, offset + length),
    }
    const reply = await rangeAnswerer(async () => reader, peerId, silentLogger)(bytes)
    assert.ok(reply[0] === 0 || reply[0] === 1)
    assert.ok(reply.length <= limits.blobChunkBytes + 1)
  },
)

const blob = Buffer.alloc(3 * limits.blobChunkBytes + 17, 'pyti')
const ref = { sha256: createHash('sha256').update(blob).digest('hex'), size: blob.length }
fuzz(
  'no bit of a blob changes unseen',
  fc.tuple(fc.nat(blob.length - 1), fc.nat(7), fc.boolean()),
  20,
  async ([at, bit, whole]) => {
    const changed = Buffer.from(blob)
    if (!whole) changed[at] = (changed[at] ?? 0) ^ (1 << bit)
    const fetchRange = async ({ offset, length }: BlobRange) => changed.subarray(offset, offset + length)
    const { refused } = await outcomeOf(blobCodes, async () => {
      for await (const chunk of pullBlob(ref, fetchRange)) assert.ok(chunk.length > 0)
    })
    assert.equal(refused, whole ? undefined : 'blob-corrupt')
  },
)
assert.ok(encodeRange(range).length < 1_024)

fuzz(
  'an address is read or refused',
  mutatedText(
    [`/ip4/192.0.2.7/tcp/4001/p2p/${peerId}`, '/dns4/a.test/tcp/1', `/ip6/::1/udp/9/quic-v1/p2p/${peerId}`],
    ['/', 'p2p', 'p2p-circuit', 'ip6zone', '%', 'unix', 'certhash', 'memory', '-1', '65536'],
  ),
  1_000,
  async text => {
    const { value } = await outcomeOf(['bad-address'], () => parseAddress(text))
    await outcomeOf(['bad-address'], () => parseTarget(text))
    if (value) assert.ok(value.address.getComponents().length > 0)
  },
)

const message = canonicalBytes(samples.hello.request)
const framed = Buffer.concat([frameAdvert(message), frameAdvert(message)])
const endless = Buffer.alloc(200, 0x80)
fuzz(
  'frames on a stream are read or refused',
  fc.tuple(
    mutatedBytes([framed, endless, Uint8Array.of(255, 255, 255, 127)]),
    fc.array(fc.integer({ min: 1, max: 60 })),
  ),
  150,
  async ([bytes, lengths]) => {
    const [ours, theirs] = await streamPair()
    const io = frames(ours, limits.messageBytes)
    const signal = AbortSignal.timeout(5_000)
    for await (const chunk of chunked(bytes, lengths)) theirs.send(chunk)
    theirs.close().catch(() => {})
    let { value, refused } = await outcomeOf(['bad-frame', 'unexpected-end'], () => readFrame(io, signal))
    for (
      ;
      value;
      { value, refused } = await outcomeOf(['bad-frame', 'unexpected-end'], () => readFrame(io, signal))
    )
      assert.ok(value.length <= limits.messageBytes)
    assert.ok(refused)
    ours.abort(new Error('done'))
    theirs.abort(new Error('done'))
  },
)
