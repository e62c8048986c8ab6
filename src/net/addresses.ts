import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { PytiError } from '../errors.ts'
import { publicKeyFromPeerId } from '../peer-id.ts'
import type { PeerId } from './network.ts'

/** A peer and where it may be found. */
export interface Target {
  peer: PeerId
  /** Multiaddrs, with or without `/p2p/...`. */
  addresses: string[]
}

const example = '/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...'

/**
 * Splits a multiaddr into where and who.
 * @throws PytiError `bad-address`
 */
export function parseAddress(text: string): { address: Multiaddr; peer: PeerId | undefined } {
  const whole = parse(text)
  const peer = whole.getComponents().findLast(part => part.code === CODE_P2P)?.value
  const address = whole.decapsulateCode(CODE_P2P)
  if (address.getComponents().length === 0) throw bad(text, 'names a peer, but not where it is')
  if (peer !== undefined) checkPeer(text, peer)
  return { address, peer }
}

/**
 * A complete address, `/ip4/.../tcp/.../p2p/PEER`: without the peer id nobody could tell who answers.
 * @throws PytiError `bad-address`
 */
export function parseTarget(text: string): Target {
  const { peer } = parseAddress(text)
  if (peer === undefined) throw bad(text, 'does not say which peer is there')
  return { peer, addresses: [text] }
}

/**
 * The address with the pinned peer in it, so that the handshake itself refuses anybody else.
 * @throws PytiError `bad-address` | `wrong-peer` when the address names another peer
 */
export function pinned(text: string, expected: PeerId): Multiaddr {
  const { address, peer } = parseAddress(text)
  if (peer !== undefined && peer !== expected)
    throw new PytiError('wrong-peer', `the address ${text} names ${peer}, not the pinned ${expected}`, {
      hint: 'correct the address or the pinned peer id in the configuration',
    })
  return address.encapsulate(`/p2p/${expected}`)
}

function parse(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw bad(text, 'is not a multiaddr', cause)
  }
}

function checkPeer(text: string, peer: string): void {
  try {
    publicKeyFromPeerId(peer)
  } catch (cause) {
    throw bad(text, 'has no Ed25519 peer id', cause)
  }
}

function bad(text: string, what: string, cause?: unknown): PytiError {
  return new PytiError('bad-address', `${JSON.stringify(text.slice(0, 200))} ${what}`, {
    hint: `write it like ${example}`,
    cause,
  })
}
