import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeGuestFrames, encodeHostFrame } from '../../src/sandbox/frames.ts'
import { frameTypes } from '../../src/wire/guest.ts'
import { limits } from '../../src/wire/limits.ts'

const seed = 20_261_120

function frame(type: number, payload: Uint8Array, length = 1 + payload.length): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(length, 0)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, payload])
}

async function decode(chunks: Buffer[], maxBytes: number = limits.guestOutputBytes) {
  const frames = []
  async function* source() {
    yield* chunks
  }
  for await (const one of decodeGuestFrames(source(), maxBytes))
    frames.push({ type: one.type, payload: Buffer.from(one.payload) })
  return frames
}

describe('frames from the guest', () => {
  it(`come out whole however the bytes are cut (seed ${seed})`, async () => {
    const anyFrame = fc.record({
      type: fc.constantFrom(1, 2, 3, 4, 5, 6, 7),
      payload: fc.uint8Array({ maxLength: 300 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyFrame, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }),
        async (wanted, cuts) => {
          const bytes = Buffer.concat(wanted.map(({ type, payload }) => frame(type, payload)))
          const chunks: Buffer[] = []
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1
            chunks.push(bytes.subarray(at, at + size))
            at += size
          }
          assert.deepEqual(
            await decode(chunks),
            wanted.map(({ type, payload }) => ({ type, payload: Buffer.from(payload) })),
          )
        },
      ),
      { seed, numRuns: 200 },
    )
  })

  for (const [name, bytes, code] of [
    ['an unknown type', frame(99, Buffer.alloc(3)), 'bad-frame'],
    ["the host's own type", frame(frameTypes.go, Buffer.from('{}')), 'bad-frame'],
    ['a length of zero', frame(frameTypes.data, Buffer.alloc(0), 0), 'bad-frame'],
    ['a length of 4 GiB', frame(frameTypes.data, Buffer.alloc(10), 0xffffffff), 'bad-frame'],
    [
      'a length above the limit',
      frame(frameTypes.data, Buffer.alloc(10), limits.guestFrameBytes + 1),
      'bad-frame',
    ],
    ['an end in the middle', frame(frameTypes.data, Buffer.alloc(10), 500), 'bad-frame'],
    ['log noise', Buffer.from('Kernel panic - not syncing: no init found'), 'bad-frame'],
  ] as const)
    it(`${name} ends the stream`, () => assert.rejects(decode([bytes]), { code }))

  it('more than the ceiling ends the stream', () =>
    assert.rejects(
      decode([frame(frameTypes.data, Buffer.alloc(100)), frame(frameTypes.data, Buffer.alloc(100))], 150),
      { code: 'output-too-large' },
    ))
})

it('a host frame above 2,048 bytes is refused: the serial line would stall for ever', () => {
  assert.equal(encodeHostFrame(frameTypes.go, 'x'.repeat(2_000)).length, 2_007)
  assert.throws(() => encodeHostFrame(frameTypes.go, 'x'.repeat(5_000)), { code: 'frame-too-large' })
})
