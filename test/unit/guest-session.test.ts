import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { PytiError } from '../../src/errors.ts'
import { createDisk } from '../../src/sandbox/disks.ts'
import { GuestSession } from '../../src/sandbox/guest-session.ts'
import type { Vm } from '../../src/sandbox/vm.ts'
import { Go, Hello, frameTypes as types } from '../../src/wire/guest.ts'
import { limits } from '../../src/wire/limits.ts'

const disk = { bytes: 10, sha256: 'ab'.repeat(32) }
const hello = { version: 1, kernel: '6.12', python: '3.13.5' }
const digest = (data: string) => createHash('sha256').update(data).digest('hex')

function frame(type: number, payload: unknown = ''): Buffer {
  const body = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length, 0)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, body])
}

/** A guest that says `script` once it has got GO, then ends the stream. */
function fakeVm(script: Buffer[], options: { greet?: Buffer; hang?: boolean } = {}) {
  const received: Buffer[] = []
  const channel = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      received.push(chunk)
      channel.push(frame(types.ack))
      for (const part of script) channel.push(part)
      if (!options.hang) channel.push(null)
      done()
    },
  })
  channel.push(options.greet ?? frame(types.hello, hello))
  const exited = Promise.resolve({ kind: 'clean' as const })
  const vm: Vm = { backend: 'uml', pid: 1, channel, exited, console: () => 'last words', kill: () => exited }
  return { vm, received }
}

const item = (name: string, data: string) => [
  frame(types.item, { name, size: data.length, sha256: digest(data) }),
  frame(types.data, data),
]
const done = (items: number, data: string) => [
  frame(types.done, { items, sha256: digest(data) }),
  frame(types.bye),
]
const session = async (
  vm: Vm,
  options: { bootMs?: number; wallMs?: number; outputDisk?: string; signal?: AbortSignal } = {},
) => {
  const { bootMs = 30_000, wallMs = 30_000, outputDisk = '/nowhere', signal } = options
  const guest = new GuestSession(vm)
  await guest.ready(bootMs, signal)
  return guest.run(disk, { wallMs, clockMs: 1_760_000_000_000, outputDisk, ...(signal && { signal }) })
}

describe('a session with a guest', () => {
  it('hands out every item, and sends fresh entropy and the clock', async () => {
    const { vm, received } = fakeVm([
      ...item('logs/build.txt', 'log'),
      ...item('guest.json', '{}'),
      ...done(2, 'log{}'),
    ])
    const output = await session(vm)
    assert.deepEqual(
      [...output].map(([name, data]) => [name, data.toString()]),
      [
        ['logs/build.txt', 'log'],
        ['guest.json', '{}'],
      ],
    )
    const go = Go.parse(JSON.parse(Buffer.concat(received).subarray(5).toString()))
    assert.deepEqual(
      [go.job, go.clockMs, go.entropy.length],
      [{ bytes: 10, sha256: disk.sha256 }, 1_760_000_000_000, 64],
    )
  })

  const whole = [...item('guest.json', '{}'), ...done(1, '{}')]
  for (const [name, script, code] of [
    ['no BYE', whole.slice(0, -1), 'guest-ended'],
    ['no DONE', whole.slice(0, -2), 'guest-ended'],
    ['nothing at all', [], 'guest-ended'],
    [
      'an item that is shorter than announced',
      [
        frame(types.item, { name: 'guest.json', size: 5, sha256: digest('{}') }),
        frame(types.data, '{}'),
        ...done(1, '{}'),
      ],
      'bad-frame',
    ],
    [
      'an item that is longer than announced',
      [
        frame(types.item, { name: 'guest.json', size: 1, sha256: digest('{}') }),
        frame(types.data, '{}'),
        ...done(1, '{}'),
      ],
      'bad-frame',
    ],
    [
      'an item with another digest',
      [
        frame(types.item, { name: 'guest.json', size: 2, sha256: digest('[]') }),
        frame(types.data, '{}'),
        ...done(1, '{}'),
      ],
      'bad-frame',
    ],
    ['an item twice', [...item('guest.json', '{}'), ...whole], 'bad-frame'],
    ['an item name that is a path', [...item('../../etc/passwd', 'x'), ...done(1, 'x')], 'bad-frame'],
    ['data without an item', [frame(types.data, 'x'), ...whole], 'bad-frame'],
    ['another total digest', [...item('guest.json', '{}'), ...done(1, 'other')], 'bad-frame'],
    ['another count of items', [...item('guest.json', '{}'), ...done(2, '{}')], 'bad-frame'],
    ['a second HELLO', [frame(types.hello, hello), ...whole], 'bad-frame'],
    ['an event that is not JSON', [frame(types.event, '{'), ...whole], 'bad-frame'],
    [
      'an event of a task that does not exist',
      [frame(types.event, { task: 'mine', state: 'start' }), ...whole],
      'bad-frame',
    ],
  ] as const)
    it(`${name}: never a result`, () => assert.rejects(session(fakeVm([...script]).vm), { code }))

  describe('an item on the output disk', () => {
    let dir: string
    let path: string
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pyti-session-'))
      path = join(dir, 'output')
      await createDisk(path, limits.guestOutputBytes)
      const file = await open(path, 'r+')
      await file.write('{"big":1}', 4096)
      await file.close()
    })
    after(() => rm(dir, { recursive: true, force: true }))

    const onDisk = (fields: object) =>
      frame(types.item, { name: 'guest.json', size: 9, sha256: digest('{"big":1}'), at: 4096, ...fields })

    it('is read from where the guest says', async () => {
      const { vm } = fakeVm([onDisk({}), ...done(1, '{"big":1}')])
      assert.equal((await session(vm, { outputDisk: path })).get('guest.json')?.toString(), '{"big":1}')
    })
    for (const [name, fields, code] of [
      ['elsewhere than announced', { at: 0 }, 'bad-frame'],
      ['beyond the end of the disk', { at: limits.guestOutputBytes - 3 }, 'bad-frame'],
      ['far beyond the end of the disk', { at: Number.MAX_SAFE_INTEGER }, 'bad-frame'],
      ['larger than all a guest may send', { at: 0, size: limits.guestOutputBytes + 1 }, 'output-too-large'],
    ] as const)
      it(`${name}: never a result`, () =>
        assert.rejects(session(fakeVm([onDisk(fields), ...done(1, '{"big":1}')]).vm, { outputDisk: path }), {
          code,
        }))
    it('the same bytes announced again and again stay below the ceiling', async () => {
      const many = Array.from({ length: 3 }, (_, index) =>
        frame(types.item, {
          name: `logs/a${index}.txt`,
          size: limits.guestOutputBytes / 2,
          sha256: createHash('sha256')
            .update(Buffer.alloc(limits.guestOutputBytes / 2))
            .digest('hex'),
          at: limits.guestOutputBytes / 2,
        }),
      )
      await assert.rejects(session(fakeVm(many).vm, { outputDisk: path }), { code: 'output-too-large' })
    })
  })

  it('more items than a guest has are refused', async () => {
    const many = Array.from({ length: 70 }, (_, index) =>
      frame(types.item, { name: `logs/a${index}.txt`, size: 0, sha256: digest('') }),
    )
    await assert.rejects(session(fakeVm(many).vm), { code: 'output-too-large' })
  })

  it('a clone says nothing first: its hello is known and it answers PING', async () => {
    const { vm, received } = fakeVm(whole, { greet: Buffer.alloc(0) })
    const guest = new GuestSession({ ...vm, hello: Hello.parse(hello) })
    assert.equal((await guest.ready(30_000)).python, '3.13.5')
    assert.equal(received[0]?.[4], types.ping)
  })

  it('how the VM ended is told with the error', async () => {
    for (const [exit, code] of [
      [{ kind: 'sandbox-violation' }, 'guest-ended'],
      [{ kind: 'oom' }, 'host-out-of-memory'],
      [{ kind: 'abnormal', detail: 'panic' }, 'guest-ended'],
    ] as const) {
      const { vm } = fakeVm([])
      await assert.rejects(
        session({ ...vm, exited: Promise.resolve(exit) }),
        (error: PytiError) => error.code === code && error.details.exit === exit,
      )
    }
  })

  it('a guest that stays silent is given up', () => {
    const { vm } = fakeVm([], { greet: Buffer.alloc(0), hang: true })
    return assert.rejects(session(vm, { bootMs: 5 }), { code: 'guest-silent' })
  })

  it('a guest that never ends is given up, and the error says that package code had begun', async () => {
    const { vm } = fakeVm([frame(types.event, { task: 'setup', state: 'end' })], { hang: true })
    await assert.rejects(
      session(vm, { wallMs: 50 }),
      (error: PytiError) => error.code === 'guest-timeout' && error.details.stage === 'working',
    )
  })

  it('an abort ends it with the reason of the abort', async () => {
    const { vm } = fakeVm([], { hang: true })
    const stop = new AbortController()
    const running = session(vm, { signal: stop.signal })
    stop.abort(new PytiError('shutdown', 'enough'))
    await assert.rejects(running, { code: 'shutdown' })
  })
})
