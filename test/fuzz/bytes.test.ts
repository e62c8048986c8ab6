import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { after, before } from 'node:test'
import fc from 'fast-check'
import { loadOrCreateIdentity } from '../../src/identity.ts'
import { publicKeyFromPeerId } from '../../src/peer-id.ts'
import { ConsoleTail } from '../../src/sandbox/console-tail.ts'
import { decodeGuestFrames } from '../../src/sandbox/frames.ts'
import { GuestSession } from '../../src/sandbox/guest-session.ts'
import type { Vm } from '../../src/sandbox/vm.ts'
import { canonicalBytes, canonicalJson, parseCanonical } from '../../src/wire/canonical.ts'
import { frameTypes as types } from '../../src/wire/guest.ts'
import { ImageManifest, imageId } from '../../src/wire/image.ts'
import { Job, jobId, Lease } from '../../src/wire/job.ts'
import { limits } from '../../src/wire/limits.ts'
import { GuestRecord, RawData } from '../../src/wire/raw-data.ts'
import { chunked, fuzz, mutatedBytes, mutatedJson, mutatedText, outcomeOf } from '../helpers/fuzz.ts'
import { testIdentity, testJob, testRawData } from '../helpers/raw-data.ts'
import { smallManifest } from '../helpers/small-image.ts'

const digest = (data: string) => createHash('sha256').update(data).digest('hex')
function frame(type: number, payload: unknown = ''): Buffer {
  const body = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length, 0)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, body])
}
const log = 'build log\n'.repeat(20)
const record = JSON.stringify({ schema: 'pyti.guest/3' })
const script = Buffer.concat([
  frame(types.event, { task: 'setup', state: 'end' }),
  frame(types.event, { task: 'build', state: 'start', message: 'x' }),
  frame(types.item, { name: 'logs/build.txt', size: log.length, sha256: digest(log) }),
  frame(types.data, log),
  frame(types.item, { name: 'guest.json', size: record.length, sha256: digest(record) }),
  frame(types.data, record),
  frame(types.done, { items: 2, sha256: digest(log + record) }),
  frame(types.bye),
])
const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 5 })

fuzz(
  'frames of a guest are cut the same however they arrive, or refused',
  fc.tuple(mutatedBytes([script]), lengths),
  500,
  async ([bytes, pieces]) => {
    const read = async (lengths: number[]) => {
      const frames: string[] = []
      const { refused } = await outcomeOf(['bad-frame', 'output-too-large'], async () => {
        for await (const { type, payload } of decodeGuestFrames(chunked(bytes, lengths), 5_000))
          frames.push(`${type} ${payload.toString('hex')}`)
      })
      return { frames, refused }
    }
    assert.deepEqual(await read(pieces), await read([bytes.length]))
  },
)

/** A guest that says HELLO, then these bytes once it has got GO. */
function guest(bytes: Uint8Array): Vm {
  const channel = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      channel.push(Buffer.concat([frame(types.ack), bytes]))
      channel.push(null)
      done()
    },
  })
  channel.push(frame(types.hello, { version: 1, kernel: '6.12', python: '3.13.5' }))
  const exited = Promise.resolve({ kind: 'clean' as const })
  return { backend: 'uml', pid: 1, channel, exited, console: () => '', kill: () => exited }
}
const disk = { bytes: 10, sha256: 'ab'.repeat(32) }
const sessionCodes = ['bad-frame', 'output-too-large', 'guest-ended']
async function items(bytes: Uint8Array): Promise<Map<string, Buffer> | undefined> {
  const session = new GuestSession(guest(bytes))
  await session.ready(9_000)
  const run = () => session.run(disk, { wallMs: 9_000, clockMs: 1_760_000_000_000, outputDisk: '/dev/null' })
  return (await outcomeOf(sessionCodes, run)).value
}

fuzz('what a guest hands over has the digests it announced', mutatedBytes([script]), 300, async bytes => {
  for (const [name, data] of (await items(bytes)) ?? []) {
    assert.match(name, /^(?:guest\.json|logs\/[a-z0-9-]+\.txt)$/)
    assert.ok(Buffer.from(bytes).includes(digest(data.toString('latin1'))), name)
  }
})

const data = [script.indexOf(log), script.indexOf(record)].flatMap((at, index) =>
  Array.from({ length: [log, record][index]?.length ?? 0 }, (_, offset) => at + offset),
)
fuzz(
  'no bit of what a guest hands over changes unseen',
  fc.tuple(fc.constantFrom(...data), fc.nat(7)),
  200,
  async ([at, bit]) => {
    const changed = Uint8Array.from(script)
    changed[at] = (changed[at] ?? 0) ^ (1 << bit)
    assert.equal(await items(changed), undefined)
  },
)

fuzz(
  'the tail of a console is short and printable',
  fc.array(
    mutatedBytes([Buffer.from('boot\r\n\u001b[31mred\u001b[0m\n'), Buffer.alloc(40_000, 10), script]),
    { maxLength: 4 },
  ),
  150,
  chunks => {
    const tail = new ConsoleTail()
    for (const chunk of chunks) tail.add(chunk)
    assert.ok(tail.lines().length <= 60)
    for (const line of tail.lines()) assert.match(line, /^[ -~]{1,300}$/)
  },
)

const values = [testJob(), testRawData(), smallManifest(), { a: [1, 'é😀', null, { '\u0000': true }], b: -5 }]
fuzz('only canonical JSON is taken for it', mutatedBytes(values.map(canonicalBytes)), 1_000, async bytes => {
  const { value, refused } = await outcomeOf(['not-canonical'], () => parseCanonical(bytes))
  if (refused === undefined) assert.deepEqual(Buffer.from(canonicalBytes(value)), Buffer.from(bytes))
})
fuzz(
  'nested and odd JSON is refused or has one form',
  fc.oneof(
    fc.json({ maxDepth: 6 }),
    fc.nat(200_000).map(depth => '['.repeat(depth) + ']'.repeat(depth)),
  ),
  200,
  async text => {
    const { value, refused } = await outcomeOf(['not-canonical'], () => parseCanonical(Buffer.from(text)))
    if (refused === undefined) assert.equal(canonicalJson(value), text)
  },
)

const {
  schema: _,
  job: __,
  nonce: ___,
  subject: ____,
  intake: _____,
  guest: ______,
  attachments: _______,
  ...rest
} = testRawData()
const guestRecord = { schema: 'pyti.guest/3', python: '3.13.5', observers: ['changes'], tasks: rest.tasks }
const schemas = { GuestRecord, RawData, Job, Lease, ImageManifest }
assert.ok(GuestRecord.safeParse(guestRecord).success)
fuzz(
  'records, jobs, leases and manifests are taken or refused',
  mutatedJson([
    guestRecord,
    testRawData(),
    testJob(),
    { id: '0'.repeat(32), job: testJob(), remainingMs: 5 },
    smallManifest(),
  ]),
  800,
  value => {
    for (const schema of Object.values(schemas)) {
      const { success, data, error } = schema.safeParse(value)
      assert.ok(success ? data !== undefined : error.issues.length > 0)
    }
  },
)
fuzz('another job or image has another id', mutatedJson([testJob(), smallManifest()]), 500, value => {
  // Half a character has no canonical form, so no id either; the network refuses it before.
  if (/\\ud[89a-f]/.test(JSON.stringify(value) ?? '')) return
  const job = Job.safeParse(value).data
  if (job) assert.equal(jobId(job) === jobId(testJob()), canonicalJson(job) === canonicalJson(testJob()))
  const image = ImageManifest.safeParse(value).data
  if (image)
    assert.equal(
      imageId(image) === imageId(smallManifest()),
      canonicalJson(image) === canonicalJson(smallManifest()),
    )
})

const { peerId, publicKey } = testIdentity('one')
fuzz(
  'no other text is a peer id of the same key',
  mutatedText([peerId], ['1', 'z', '0', ' ', 'Qm']),
  1_000,
  async text => {
    const { value } = await outcomeOf(['bad-peer-id'], () => publicKeyFromPeerId(text))
    if (value) assert.equal(Buffer.compare(value, publicKey) === 0, text === peerId)
  },
)

let dir = ''
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pyti-fuzz-'))
})
after(() => rm(dir, { recursive: true, force: true }))
const pems = [
  generateKeyPairSync('ed25519').privateKey,
  generateKeyPairSync('x25519').privateKey,
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
].map(key => Buffer.from(key.export({ format: 'pem', type: 'pkcs8' }).toString()))
fuzz('a key file is a key or malformed', mutatedBytes(pems), 150, async bytes => {
  const path = join(dir, 'key')
  await writeFile(path, bytes, { mode: 0o600 })
  const { value } = await outcomeOf(['identity-malformed'], () => loadOrCreateIdentity(path))
  if (value) assert.equal(Buffer.compare(publicKeyFromPeerId(value.peerId), value.publicKey), 0)
})
assert.ok(script.length < limits.guestOutputBytes)
