import { peerIdFromString } from '@libp2p/peer-id'
import type { Clock } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import { PeerIdText } from '../wire/job.ts'
import { pinned, type Target } from './addresses.ts'
import { withDeadline } from './deadline.ts'
import type { PeerId } from './network.ts'
import type { Node } from './node.ts'

/** After this long the addresses found so far must do. */
const lookupMs = 5_000

/**
 * Tries a peer's addresses one after the other.
 * @throws PytiError `wrong-peer` | `bad-address` | `unreachable`, of the first address when all fail alike
 */
export async function dial(node: Node, { peer, addresses }: Target, signal: AbortSignal): Promise<void> {
  const failures: PytiError[] = []
  for (const address of addresses)
    try {
      await node.dial(pinned(address, peer), { signal })
      return
    } catch (error) {
      signal.throwIfAborted()
      failures.push(dialFailure(address, peer, error))
    }
  const telling = failures.find(failure => isCode(failure, 'wrong-peer')) ?? failures[0]
  throw telling ?? new PytiError('unreachable', `no address of ${peer} was given`)
}

/**
 * Asks the DHT where a peer is. Found by its own id and not by a provider record: those anybody may put up, and an
 * impostor's came first. The answer is a hint all the same.
 */
export async function findAddresses(
  node: Node,
  clock: Clock,
  peer: PeerId,
  signal: AbortSignal,
): Promise<string[]> {
  const found = new Set<string>()
  try {
    await withDeadline(clock, { ms: lookupMs, what: 'the DHT lookup', signal }, async deadline => {
      // `useCache` would answer with the addresses that have just failed.
      const events = node.services.dht.findPeer(peerIdFromString(peer), { signal: deadline, useCache: false })
      for await (const event of events)
        if (event.name === 'FINAL_PEER')
          for (const address of event.peer.multiaddrs) found.add(address.toString())
    })
  } catch (error) {
    signal.throwIfAborted()
    const isOver = isCode(error, 'timeout') || (error instanceof Error && error.name === 'NotFoundError')
    if (!isOver)
      throw new PytiError('unreachable', `the DHT lookup failed: ${messageOf(error)}`, { cause: error })
  }
  return [...found]
}

function dialFailure(address: string, expected: PeerId, error: unknown): PytiError {
  if (error instanceof PytiError) return error
  const actual = whoAnswered(error, expected)
  if (actual === undefined)
    return new PytiError('unreachable', `nothing answers at ${address}: ${messageOf(error)}`, {
      hint: 'a node that is full or has banned this peer looks the same from outside',
      cause: error,
    })
  return new PytiError('wrong-peer', `the node at ${address} is ${actual}, not the pinned ${expected}`, {
    hint: 'check the address and the pinned peer id; if both are right, somebody else answers there',
    cause: error,
  })
}

/**
 * The peer that failed the handshake's check. It stands only in the text of the error, whose class is lost on the way up
 * (libp2p 3.3); the refusal itself does not depend on it.
 */
function whoAnswered(error: unknown, expected: PeerId): PeerId | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof AggregateError)
    return error.errors.map(inner => whoAnswered(inner, expected)).find(peer => peer !== undefined)
  if (!['EncryptionFailedError', 'UnexpectedPeerError'].includes(error.name)) return undefined
  return error.message.split(/\s+/).find(word => word !== expected && PeerIdText.safeParse(word).success)
}
