import { createHash } from 'node:crypto'
import { Duplex } from 'node:stream'
import { GuestSession } from '../../src/sandbox/guest-session.ts'
import type { Exit, Vm } from '../../src/sandbox/vm.ts'
import { frameTypes } from '../../src/wire/guest.ts'

export const digest = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

export function frame(type: number, payload: Uint8Array | string | object = ''): Buffer {
  const body =
    payload instanceof Uint8Array
      ? payload
      : Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length, 0)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, body])
}

/** The host's side against a guest that acknowledges GO, says `parts` and falls silent. */
export async function sessionWith(parts: Buffer[]): Promise<Map<string, Buffer>> {
  const script = [...parts]
  let begun = false
  const channel = new Duplex({
    read() {
      if (!begun) return
      const next = script.shift()
      if (next) channel.push(next)
    },
    write(_chunk, _encoding, done) {
      begun = true
      channel.push(frame(frameTypes.ack))
      done()
    },
  })
  channel.push(frame(frameTypes.hello, { version: 1, kernel: '6.12', python: '3.13.5' }))
  const ended = Promise.withResolvers<Exit>()
  const vm: Vm = {
    backend: 'uml',
    pid: 0,
    channel,
    exited: ended.promise,
    console: () => '',
    kill() {
      channel.destroy()
      ended.resolve({ kind: 'killed' })
      return ended.promise
    },
  }
  const session = new GuestSession(vm)
  await session.ready(10_000)
  return session.run({ bytes: 0, sha256: digest('') }, { wallMs: 5_000, clockMs: 0, outputDisk: '/nowhere' })
}
