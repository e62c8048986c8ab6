import { once } from 'node:events'
import { frameTypes } from '../wire/guest.ts'
import { encodeHostFrame } from './frames.ts'
import type { Vm } from './vm.ts'

/** ACK has no payload. */
const ack = Buffer.from([0, 0, 0, 1, frameTypes.ack])

/**
 * Whether the guest of a restored VM answers PING in time. It has seen nothing of a package yet. The channel can be read
 * from afterwards as if nothing had happened.
 */
export async function answersPing(vm: Pick<Vm, 'channel' | 'exited'>, timeoutMs: number): Promise<boolean> {
  // A timer of our own: that of `AbortSignal.timeout` keeps no process waiting, and may be collected with the signal.
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), timeoutMs)
  vm.exited.then(() => stop.abort())
  try {
    vm.channel.write(encodeHostFrame(frameTypes.ping, {}))
    for (;;) {
      const answer: unknown = vm.channel.read(ack.length)
      if (answer instanceof Buffer) return answer.equals(ack)
      await once(vm.channel, 'readable', { signal: stop.signal })
    }
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
