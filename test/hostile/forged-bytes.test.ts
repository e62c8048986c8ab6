import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { frameTypes as types } from '../../src/wire/guest.ts'
import { digest, frame, sessionWith } from '../helpers/hostile-fake-vm.ts'

const MiB = 1024 * 1024
const go = { task: 'setup', state: 'start' }
const item = (fields: object) =>
  frame(types.item, { name: 'guest.json', size: 1, sha256: digest('x'), ...fields })
const raw = (text: string) => frame(types.item, text)
const head = (length: number, type: number) => {
  const bytes = Buffer.alloc(5)
  bytes.writeUInt32BE(length, 0)
  bytes.writeUInt8(type, 4)
  return bytes
}

/** What a guest may say instead of its results, byte for byte; nothing of it is a result. */
const forgeries: [string, Buffer[]][] = [
  ...[0, 8, 15, 16, 17, 18, 99, 255].map((type): [string, Buffer[]] => [
    `a frame of type ${type}`,
    [frame(type, {})],
  ]),
  ...[0, 65_537, 0x7fffffff, 0x80000000, 0xffffffff].map((length): [string, Buffer[]] => [
    `a frame of ${length} bytes`,
    [head(length, types.event), Buffer.alloc(70_000)],
  ]),
  ['an event nested 30,000 deep', [frame(types.event, '['.repeat(30_000) + ']'.repeat(30_000))]],
  ['an event of 60,000 characters', [frame(types.event, { ...go, message: 'x'.repeat(60_000) })]],
  ['an event with a field more', [frame(types.event, { ...go, more: 1 })]],
  ['an event with a prototype', [frame(types.event, '{"task":"setup","state":"start","__proto__":{"x":1}}')]],
  ['an event that is a list', [frame(types.event, [go])]],
  ['an event of invalid UTF-8', [frame(types.event, Buffer.from([0x22, 0xff, 0xfe, 0x22]))]],
  ['an ACK nobody waits for', [frame(types.ack)]],
  ['BYE without DONE', [frame(types.bye)]],
  ['an event after DONE', [frame(types.done, { items: 0, sha256: digest('') }), frame(types.event, go)]],
  [
    'DONE twice',
    [
      frame(types.done, { items: 0, sha256: digest('') }),
      frame(types.done, { items: 0, sha256: digest('') }),
    ],
  ],
  ...[
    '/etc/passwd',
    'logs/../guest.json',
    'logs/a/b.txt',
    'logs/.txt',
    'logs/Build.txt',
    'guest.json\n',
    'guest.json\0',
    'logs/a.txt\n',
    '__proto__',
    'constructor',
    `logs/${'a'.repeat(42)}.txt`,
    '',
  ].map((name): [string, Buffer[]] => [
    `an item called ${JSON.stringify(name)}`,
    [item({ name }), frame(types.data, 'x')],
  ]),
  ...['-1', '1.5', '1e400', '"1"', 'null', '[1]', '9007199254740993'].map((size): [string, Buffer[]] => [
    `an item of size ${size}`,
    [raw(`{"name":"guest.json","size":${size},"sha256":"${digest('x')}"}`), frame(types.data, 'x')],
  ]),
  ...['-1', '0.5', '1e400', '"0"', 'null', '9007199254740993'].map((at): [string, Buffer[]] => [
    `an item at ${at}`,
    [raw(`{"name":"guest.json","size":1,"sha256":"${digest('x')}","at":${at}}`)],
  ]),
  ['an event in the middle of an item', [item({ size: 2 }), frame(types.data, 'x'), frame(types.event, go)]],
  [
    'an item in the middle of an item',
    [item({ size: 2 }), frame(types.data, 'x'), item({ name: 'logs/a.txt' })],
  ],
]

describe('forged bytes', () => {
  for (const [name, parts] of forgeries)
    it(`${name}: a bad frame`, () => assert.rejects(sessionWith(parts), { code: 'bad-frame' }))

  // A frame costs the host about 150 bytes and a microsecond whatever is in it: the ceiling on bytes bounds neither. A
  // guest that followed the protocol would send 60 KB in each.
  for (const [name, unit] of [
    ['nothing', frame(types.data)],
    ['a byte', frame(types.data, 'x')],
  ] as const)
    it(`data frames with ${name} in them: a bad frame before they cost memory`, () =>
      assert.rejects(sessionWith([item({ size: MiB }), ...Array.from({ length: 1000 }, () => unit)]), {
        code: 'bad-frame',
      }))
})
