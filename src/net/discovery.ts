import type { Clock } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Target } from './addresses.ts'
import { withDeadline } from './deadline.ts'
import type { Network, PeerId } from './network.ts'

/** What keeping a connection needs from the network. */
export interface Dialer extends Pick<Network, 'onPeer'> {
  isConnected(peer: PeerId): boolean
  /** @throws PytiError `unreachable` | `wrong-peer` | `bad-address` | `timeout` */
  connect(target: Target, signal: AbortSignal): Promise<void>
  /** Where the DHT says the peer is; a hint, as anybody may say anything. None is a normal answer. */
  findAddresses(peer: PeerId, signal: AbortSignal): Promise<string[]>
}

export type LinkState =
  | { state: 'connected' }
  | { state: 'lost' }
  /** `reason` is the most telling of `failures`, one per way that was tried. */
  | { state: 'retrying'; attempt: number; waitMs: number; reason: string; failures: PytiError[] }

export interface KeepOptions {
  clock: Clock
  /** Uniform in [0, 1). */
  random: () => number
  onState?: (state: LinkState) => void
  signal: AbortSignal
}

const connectMs = 10_000
const lookupMs = 10_000
const firstWaitMs = 1_000
const longestWaitMs = 60_000
/** After a loss all volunteers come back at once: spread them out. */
const reconnectSpreadMs = 3_000
/** Of what the DHT answers: an impostor may claim any number. */
const maxFoundAddresses = 16

/**
 * Finds a peer and keeps one connection to it: the given addresses first, then what the DHT knows. The peer id decides
 * who is accepted, never the address. Retries for ever; resolves when the signal fires.
 */
export async function keepConnected(dialer: Dialer, target: Target, options: KeepOptions): Promise<void> {
  const { clock, random, signal } = options
  const report = options.onState ?? (() => {})
  let attempt = 0
  while (!signal.aborted) {
    try {
      const failures = await tryEveryWay(dialer, target, clock, signal)
      if (failures === undefined) {
        attempt = 0
        report({ state: 'connected' })
        await untilLost(dialer, target.peer, signal)
        report({ state: 'lost' })
        await clock.sleep(Math.floor(random() * reconnectSpreadMs), signal)
      } else {
        attempt += 1
        const waitMs = backoff(attempt, random())
        report({ state: 'retrying', attempt, waitMs, reason: tellingReason(failures), failures })
        await clock.sleep(waitMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** Doubles up to a minute; the upper half is random. */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(attempt - 1, 16))
  return Math.floor(ceiling * (0.5 + random / 2))
}

/** @returns why each way failed, or undefined once connected */
async function tryEveryWay(
  dialer: Dialer,
  target: Target,
  clock: Clock,
  signal: AbortSignal,
): Promise<PytiError[] | undefined> {
  const { peer } = target
  const failures: PytiError[] = []
  const attempt = async (address: string) => {
    // A connection may also come about on the way, by a DHT query or from the other side.
    if (dialer.isConnected(peer)) return true
    try {
      await withDeadline(clock, { ms: connectMs, what: `connecting to ${address}`, signal }, deadline =>
        dialer.connect({ peer, addresses: [address] }, deadline),
      )
      return true
    } catch (error) {
      signal.throwIfAborted()
      failures.push(asPytiError(error))
      return false
    }
  }
  for (const address of target.addresses) if (await attempt(address)) return undefined
  for (const address of await lookUp(dialer, target, clock, signal, failures))
    if (await attempt(address)) return undefined
  return dialer.isConnected(peer) ? undefined : failures
}

async function lookUp(
  dialer: Dialer,
  { peer, addresses }: Target,
  clock: Clock,
  signal: AbortSignal,
  failures: PytiError[],
): Promise<string[]> {
  try {
    const limit = { ms: lookupMs, what: 'the DHT lookup', signal }
    const found = await withDeadline(clock, limit, deadline => dialer.findAddresses(peer, deadline))
    const tried = new Set(addresses.map(place))
    const fresh = [...new Set(found)].filter(address => !tried.has(place(address)))
    if (fresh.length === 0)
      failures.push(new PytiError('not-found', `the DHT knows no other address of ${peer}`))
    return fresh.slice(0, maxFoundAddresses)
  } catch (error) {
    signal.throwIfAborted()
    failures.push(asPytiError(error))
    return []
  }
}

/** The address without the peer id at its end. */
function place(address: string): string {
  return address.replace(/\/p2p\/[^/]*$/, '')
}

async function untilLost(dialer: Dialer, peer: PeerId, signal: AbortSignal): Promise<void> {
  const lost = Promise.withResolvers<void>()
  const stopListening = dialer.onPeer((other, state) => {
    if (other === peer && state === 'disconnected') lost.resolve()
  })
  const stop = () => lost.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    // It may have gone, or the signal fired, before anybody listened.
    if (signal.aborted) stop()
    else if (!dialer.isConnected(peer)) lost.resolve()
    await lost.promise
  } finally {
    stopListening()
    signal.removeEventListener('abort', stop)
  }
}

/** Somebody else at the address is a thing to act upon; the rest are shades of "not there". */
function tellingReason(failures: PytiError[]): string {
  const best = failures.find(error => isCode(error, 'wrong-peer', 'bad-address')) ?? failures[0]
  return best?.message ?? 'no address to try'
}

function asPytiError(error: unknown): PytiError {
  return error instanceof PytiError ? error : new PytiError('unreachable', messageOf(error), { cause: error })
}
