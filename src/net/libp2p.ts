import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Clock, systemClock } from '../clock.ts'
import { messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { parseAddress, parseTarget, type Target } from './addresses.ts'
import { followAdverts, serveAdverts } from './advert-streams.ts'
import { AdvertBoard } from './adverts.ts'
import { fetchBlob, serveBlobs } from './blob-streams.ts'
import { requestCommand, serveCommand } from './command-streams.ts'
import { withDeadline } from './deadline.ts'
import { dial, findAddresses } from './dial.ts'
import { type Dialer, keepConnected, type LinkState } from './discovery.ts'
import { Link } from './link.ts'
import type { Network, PeerId } from './network.ts'
import { createNode, defaultNodeLimits, type Node, type NodeLimits, type NodeOptions } from './node.ts'
import { prefixOf } from './prefix.ts'

export interface NetworkOptions extends Omit<NodeOptions, 'limits'> {
  /** Complete multiaddrs (with `/p2p/...`) of nodes to meet others at; a connection to each is kept up. */
  bootstrap: string[]
  log: Logger
  limits?: Partial<NodeLimits>
  /** Called before the node listens: what is served here no early peer finds missing. */
  prepare?: (network: Libp2pNetwork) => void
  /** @default systemClock */
  clock?: Clock
  /** Uniform in [0, 1), spreads reconnects. @default Math.random */
  random?: () => number
}

/** The port, plus what only the composition root needs. */
export interface Libp2pNetwork extends Network, Dialer {
  /** Complete multiaddrs this node can be reached at. */
  addresses(): string[]
  /** Ends all connections to a peer; it may come back. */
  disconnect(peer: PeerId): Promise<void>
}

const stopMs = 5_000

/**
 * Starts a node that speaks the project's protocols.
 * @throws PytiError `bad-address` | `listen-failed`
 */
export async function createNetwork(options: NetworkOptions): Promise<Libp2pNetwork> {
  const { log, clock = systemClock, random = Math.random } = options
  const limits = { ...defaultNodeLimits, ...options.limits }
  const meetingPoints = options.bootstrap.map(parseTarget)
  for (const address of [...options.listen, ...(options.announce ?? [])]) parseAddress(address)
  const node = await createNode({ ...options, limits })
  const link = new Link(node, clock, log)
  const network = assemble(link)
  capConnections(node, limits.connectionsPerPeer, log)
  options.prepare?.(network)
  try {
    await node.start()
  } catch (cause) {
    await network.stop()
    throw new PytiError(
      'listen-failed',
      `cannot listen on ${options.listen.join(', ')}: ${messageOf(cause)}`,
      {
        hint: 'another process may use the port, or the address is not one of this machine',
        cause,
      },
    )
  }
  const keep = { clock, random, signal: link.stopped }
  for (const target of meetingPoints)
    if (target.peer !== network.self) keepMeetingPoint(network, target, keep, log)
  return network
}

function assemble(link: Link): Libp2pNetwork {
  const { node, clock, log } = link
  const board = new AdvertBoard()
  serveAdverts(link, board)
  const connectionsTo = (peer: PeerId) => node.getConnections(peerIdFromString(peer))
  let stopping: Promise<void> | undefined
  return {
    self: node.peerId.toString(),
    serve: (name, handler) => serveCommand(link, name, handler),
    request: (peer, name, request, { signal } = {}) => requestCommand(link, peer, name, request, signal),
    serveBlobs: open => serveBlobs(link, open),
    fetchBlob: (peer, blob, { signal } = {}) => fetchBlob(link, peer, blob, signal),
    publish: advert => board.publish(advert),
    adverts: (peer, { signal }) => followAdverts(link, peer, signal),
    onPeer: listener => listenToPeers(node, listener),
    prefixOf: peer => prefixOf(connectionsTo(peer).find(isOpen)?.remoteAddr),
    addresses: () => node.getMultiaddrs().map(String),
    isConnected: peer => connectionsTo(peer).some(isOpen),
    connect: (target, signal) => dial(node, target, signal),
    findAddresses: (peer, signal) => findAddresses(node, clock, peer, signal),
    disconnect: peer => node.hangUp(peerIdFromString(peer)),
    stop: () => {
      stopping ??= stopNode(link, board).catch(error =>
        log.warn('network did not stop cleanly', { error: messageOf(error) }),
      )
      return stopping
    },
  }
}

async function stopNode(link: Link, board: AdvertBoard): Promise<void> {
  link.stop()
  board.close()
  await withDeadline(link.clock, { ms: stopMs, what: 'stopping the network' }, async () => link.node.stop())
}

function listenToPeers(node: Node, listener: Parameters<Network['onPeer']>[0]): () => void {
  const connected = (event: { detail: { toString(): string } }) =>
    listener(event.detail.toString(), 'connected')
  const disconnected = (event: { detail: { toString(): string } }) =>
    listener(event.detail.toString(), 'disconnected')
  node.addEventListener('peer:connect', connected)
  node.addEventListener('peer:disconnect', disconnected)
  return () => {
    node.removeEventListener('peer:connect', connected)
    node.removeEventListener('peer:disconnect', disconnected)
  }
}

/**
 * Drops a peer's oldest connections: the newest is the one that works when a link broke unnoticed. Only the peer itself
 * can open more under its id, so nobody can push another one out.
 */
function capConnections(node: Node, perPeer: number, log: Logger): void {
  node.addEventListener('connection:open', ({ detail: { remotePeer } }) => {
    const open = node.getConnections(remotePeer).filter(isOpen)
    open.sort((a, b) => a.timeline.open - b.timeline.open)
    for (const connection of open.slice(0, Math.max(0, open.length - perPeer))) {
      log.debug('connection dropped for a newer one', { peer: remotePeer.toString() })
      connection.abort(new Error('too many connections from this peer'))
    }
  })
}

function isOpen(connection: Connection): boolean {
  return connection.status === 'open'
}

function keepMeetingPoint(
  network: Libp2pNetwork,
  target: Target,
  keep: { clock: Clock; random: () => number; signal: AbortSignal },
  log: Logger,
): void {
  // The DHT is asked through these nodes, so it cannot find them.
  const dialer: Dialer = { ...network, findAddresses: async () => [] }
  const onState = (state: LinkState) => {
    if (state.state !== 'retrying') log.info(`bootstrap node ${state.state}`, { peer: target.peer })
    else if (state.attempt === 1) log.warn('bootstrap node not reached', { reason: state.reason })
    else log.debug('bootstrap node not reached', { reason: state.reason, attempt: state.attempt })
  }
  keepConnected(dialer, target, { ...keep, onState }).catch(error =>
    log.error('bootstrap node given up', { peer: target.peer, error: messageOf(error) }),
  )
}
