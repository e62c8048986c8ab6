import assert from 'node:assert/strict'
import { onEveryBackend } from '../helpers/hostile-backends.ts'
import { attack } from '../helpers/hostile-root.ts'

/** [what the guest does, its source, the error's code]. More of them, byte for byte, are in `forged-bytes.test.ts`. */
const forgeries: [string, string, string][] = [
  ['a frame of a type nobody knows', 'host.send(99, {})', 'bad-frame'],
  ['a frame of the host', 'host.send(GO, {})', 'bad-frame'],
  ['a frame of length 0', 'host.raw(bytes(5))', 'bad-frame'],
  ['a frame of length 0xffffffff', 'host.raw(b"\\xff" * 4 + bytes([EVENT]) + b"{}")', 'bad-frame'],
  ['HELLO a second time', 'host.send(HELLO, {"version": 1, "kernel": "k", "python": "3"})', 'bad-frame'],
  ['DONE without the items', 'host.send(DONE, {"items": 1, "sha256": EMPTY})\nhost.send(BYE)', 'bad-frame'],
  ['an item that is a path', 'host.item("../../etc/passwd", b"x")\nhost.send(DATA, b"x")', 'bad-frame'],
  [
    'an item of a terabyte',
    'host.send(ITEM, {"name": "guest.json", "size": 1 << 40, "sha256": EMPTY})',
    'output-too-large',
  ],
  ['an item beyond the output disk', 'host.item("guest.json", b"xx", at=(64 << 20) - 1)', 'bad-frame'],
  [
    'an item as large as the output disk, from its second byte',
    'host.send(ITEM, {"name": "guest.json", "size": 64 << 20, "sha256": EMPTY, "at": 1})',
    'bad-frame',
  ],
  [
    'an item the output disk does not hold',
    'host.item("guest.json", b"never written", at=4096)',
    'bad-frame',
  ],
  [
    '10,000 tiny items',
    'for number in range(10000):\n  host.item(f"logs/a{number}.txt", b"")',
    'output-too-large',
  ],
  [
    'many large items in one place of the output disk',
    'for number in range(64):\n  host.item(f"logs/a{number}.txt", bytes(3 << 20), at=0)',
    'output-too-large',
  ],
  [
    'events without end',
    'flood = frame(EVENT, {"task": "setup", "state": "progress", "message": "x" * 400}) * 150\nwhile True: host.raw(flood)',
    'bad-frame',
  ],
  [
    'data without end',
    'host.send(ITEM, {"name": "guest.json", "size": 64 << 20, "sha256": EMPTY})\nflood = frame(DATA, bytes(60000))\nwhile True: host.raw(flood)',
    'output-too-large',
  ],
  ['noise without end', 'while True: host.raw(os.urandom(4096))', 'bad-frame'],
]

const silences: [string, string][] = [
  ['silence', 'time.sleep(10000)'],
  ['silence in a busy loop', 'while True: pass'],
  ['a few bytes now and then', 'while True:\n  host.event("still here")\n  time.sleep(0.05)'],
  ['half a frame', 'host.raw(frame(EVENT, {"task": "setup", "state": "start"})[:-1])\ntime.sleep(10000)'],
  [
    'an item that never comes',
    'host.item("guest.json", bytes(4000))\nhost.send(DATA, bytes(2000))\ntime.sleep(10000)',
  ],
  ['DONE and no BYE', 'host.send(DONE, {"items": 0, "sha256": EMPTY})\ntime.sleep(10000)'],
]

onEveryBackend('what a guest says is never believed', (arena, test) => {
  for (const [name, source, code] of forgeries)
    test(name, async () => {
      const fall = await attack(arena, `${source}\ntime.sleep(10000)`)
      assert.equal(fall.code, code, JSON.stringify(fall.error?.details))
      // The host closes the channel before it kills; User-mode Linux may end of that first.
      assert.ok(['killed', 'abnormal'].includes(fall.exit ?? ''), JSON.stringify(fall.error?.details))
    })

  test('a frame that is cut off by the end of the machine', async () => {
    const fall = await attack(arena, 'host.raw(struct.pack(">IB", 1000, EVENT) + b"{")')
    assert.equal(fall.code, 'bad-frame', String(fall.error?.message))
  })

  test('two items that share bytes of the output disk are two honest copies', async () => {
    const fall = await attack(
      arena,
      `
with open(DISKS["output"], "r+b", buffering=0) as disk:
    disk.write(b"abcd" * 1024)
    os.fsync(disk.fileno())
host.item("logs/a.txt", b"abcd", at=0)
host.item("guest.json", b"bcda", at=1)
host.send(DONE, {"items": 2, "sha256": hashlib.sha256(b"abcdbcda").hexdigest()})
host.send(BYE)`,
    )
    assert.equal(fall.code, 'answered', String(fall.error?.message))
    assert.deepEqual(
      [...fall.items].map(([name, data]) => [name, data.toString()]),
      [
        ['logs/a.txt', 'abcd'],
        ['guest.json', 'bcda'],
      ],
    )
  })

  test('a guest that goes on after its BYE is ended', async () => {
    const fall = await attack(
      arena,
      'host.answer({})\nwhile True: host.raw(frame(EVENT, {"task": "setup", "state": "start"}) * 100)',
    )
    assert.deepEqual([fall.code, fall.items.get('guest.json')?.toString()], ['answered', '{}'])
  })
})

onEveryBackend(
  'a guest that will not end',
  (arena, test) => {
    for (const [name, source] of silences)
      test(name, async () => {
        const fall = await attack(arena, source, { wallSeconds: 1 })
        assert.deepEqual([fall.code, fall.exit], ['guest-timeout', 'timeout'], String(fall.error?.message))
      })

    test('GO is never acknowledged', async () => {
      const fall = await attack(arena, 'time.sleep(10000)', { wallSeconds: 1, beforeAck: true })
      assert.deepEqual([fall.code, fall.exit], ['guest-timeout', 'timeout'], String(fall.error?.message))
      assert.equal(fall.error?.details.stage, 'setting up')
    })

    test('something else than an ACK after GO', async () => {
      const fall = await attack(arena, 'host.event("no ACK")\ntime.sleep(10000)', { beforeAck: true })
      assert.deepEqual([fall.code, fall.exit], ['bad-frame', 'killed'], String(fall.error?.message))
    })

    test('the channel is closed and the machine goes on', async () => {
      const fall = await attack(arena, 'os.close(host.fd)\nwhile True: time.sleep(1)', { wallSeconds: 1 })
      const ends = { 'guest-timeout': 'timeout', 'guest-ended': 'killed' }[fall.code]
      assert.equal(fall.exit, ends, `${fall.code} ${JSON.stringify(fall.error?.details)}`)
    })
  },
  'long',
)
