import { setMaxListeners } from 'node:events'
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Clock } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from './command-error.ts'
import { Gates } from './gate.ts'
import type { PeerId } from './network.ts'
import type { Node } from './node.ts'
import type { ProtocolRow } from './protocols.ts'

/** Streams to and from peers by protocol: what commands, blobs and adverts share. */
export class Link {
  readonly node: Node
  readonly clock: Clock
  readonly log: Logger
  readonly #gates = new Gates()
  readonly #stop = new AbortController()

  constructor(node: Node, clock: Clock, log: Logger) {
    this.node = node
    this.clock = clock
    this.log = log
    setMaxListeners(0, this.#stop.signal)
  }

  /** Fires when the node stops. */
  get stopped(): AbortSignal {
    return this.#stop.signal
  }

  stop(): void {
    this.#stop.abort(new PytiError('unreachable', 'this node has stopped'))
  }

  /** Waits for one of the places a peer has for this protocol. @returns what gives it back */
  enter(peer: PeerId, row: ProtocolRow, signal?: AbortSignal): Promise<() => void> {
    return this.#gates.enter(`${row.id} ${peer}`, row.streams, signal)
  }

  /** Opens a stream on a connection that exists; dialling is `keepConnected`'s part. */
  async open(peer: PeerId, row: ProtocolRow, signal: AbortSignal): Promise<Stream> {
    const connections = this.node.getConnections(peerIdFromString(peer))
    const connection = connections.findLast(candidate => candidate.status === 'open')
    if (connection === undefined)
      throw new PytiError('unreachable', `there is no connection to ${peer}`, {
        hint: 'the connection is re-established by itself; try again later',
      })
    return connection.newStream(row.id, { signal, maxOutboundStreams: 2 * row.streams })
  }

  /**
   * Hands over each stream a peer opens. The handler ends it; a rejection is logged and resets it.
   * @throws PytiError `already-served`
   */
  handle(row: ProtocolRow, handler: (stream: Stream, peer: PeerId) => Promise<void>): void {
    if (this.node.getProtocols().includes(row.id))
      throw new PytiError('already-served', `${row.id} has a handler already`)
    const registered = this.node.handle(
      row.id,
      async (stream, connection) => {
        const peer = connection.remotePeer.toString()
        try {
          await handler(stream, peer)
        } catch (error) {
          this.log.debug('stream failed', { protocol: row.id, peer, error: messageOf(error) })
          stream.abort(error instanceof Error ? error : new Error(String(error)))
        }
      },
      { maxInboundStreams: 2 * row.streams, maxOutboundStreams: 2 * row.streams },
    )
    registered.catch(error =>
      this.log.error('protocol not announced', { protocol: row.id, error: messageOf(error) }),
    )
  }
}

/** What the port promises to throw when a request got no proper reply. */
export function portError(peer: PeerId, what: string, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason
  if (isCode(error, 'bad-frame'))
    return new PytiError('bad-reply', `${what}: ${error.message}`, { cause: error })
  if (error instanceof PytiError && !isCode(error, 'unexpected-end')) return error
  if (error instanceof Error && error.name === 'UnsupportedProtocolError')
    return new CommandError('UNSUPPORTED_VERSION', `${peer} does not serve ${what}`, { cause: error })
  return new PytiError('unreachable', `${peer} broke off ${what}: ${messageOf(error)}`, {
    hint: 'the peer may have gone, stopped or refused; try again later',
    cause: error,
  })
}
