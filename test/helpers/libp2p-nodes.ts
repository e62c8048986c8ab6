import { type Clock, systemClock } from '../../src/clock.ts'
import { identityFromSeed } from '../../src/identity.ts'
import { silentLogger } from '../../src/logger.ts'
import { createNetwork, type Libp2pNetwork, type NetworkOptions } from '../../src/net/libp2p.ts'

/** Real nodes on loopback, with an identity that follows from a number. */
export async function startNode(
  number: number,
  options: Partial<Omit<NetworkOptions, 'identity'>> = {},
): Promise<Libp2pNetwork> {
  return createNetwork({
    identity: await identityFromSeed(new Uint8Array(32).fill(number)),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    role: 'coordinator',
    bootstrap: [],
    log: silentLogger,
    ...options,
  })
}

export const noSignal = new AbortController().signal

/** The system's clock, except that sleeps of `ms` end when the test says so. */
export function clockHeldAt(ms: number): { clock: Clock; release: () => void } {
  const held = Promise.withResolvers<void>()
  return {
    release: held.resolve,
    clock: {
      now: systemClock.now,
      sleep: (duration, signal) =>
        duration === ms
          ? Promise.race([held.promise, untilAborted(signal)])
          : systemClock.sleep(duration, signal),
    },
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
