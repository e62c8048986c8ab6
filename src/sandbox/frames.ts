import { PytiError } from '../errors.ts'
import { frameTypes } from '../wire/guest.ts'
import { limits } from '../wire/limits.ts'

export interface Frame {
  type: number
  payload: Buffer
}

/** @throws PytiError `frame-too-large` above the 2,048 bytes UML's serial line bears */
export function encodeHostFrame(type: number, value: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(value))
  const frame = Buffer.alloc(5 + payload.length)
  if (frame.length > limits.hostFrameBytes)
    throw new PytiError(
      'frame-too-large',
      `a host frame of ${frame.length} bytes; ${limits.hostFrameBytes} at most`,
    )
  frame.writeUInt32BE(1 + payload.length, 0)
  frame.writeUInt8(type, 4)
  payload.copy(frame, 5)
  return frame
}

const fromGuest = new Set<number>([
  frameTypes.hello,
  frameTypes.ack,
  frameTypes.event,
  frameTypes.item,
  frameTypes.data,
  frameTypes.done,
  frameTypes.bye,
])

/**
 * Cuts the guest's bytes into frames. Everything is untrusted: an unknown type, a length out of range or more than
 * `maxBytes` in all ends the stream.
 * @throws PytiError `bad-frame` | `output-too-large`
 */
export async function* decodeGuestFrames(
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Frame> {
  let held: Buffer = Buffer.alloc(0)
  let total = 0
  for await (const chunk of source) {
    total += chunk.length
    if (total > maxBytes)
      throw new PytiError('output-too-large', `the guest sent more than ${maxBytes} bytes`)
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let at = 0
    while (held.length - at >= 5) {
      const length = held.readUInt32BE(at)
      const type = held.readUInt8(at + 4)
      if (length < 1 || length > limits.guestFrameBytes || !fromGuest.has(type))
        throw new PytiError('bad-frame', `the guest sent a frame of type ${type} with ${length} bytes`)
      if (held.length - at < 4 + length) break
      yield { type, payload: held.subarray(at + 5, at + 4 + length) }
      at += 4 + length
    }
    held = held.subarray(at)
  }
  if (held.length > 0) throw new PytiError('bad-frame', 'the guest ended in the middle of a frame')
}
