import type { Advert, CommandName, CommandReply, CommandRequest } from '../wire/commands.ts'

/** A peer id as text; the only form of it outside `net/libp2p.ts`. */
export type PeerId = string

export interface BlobRef {
  sha256: string
  size: number
}

/** Random access to one blob held here. */
export interface BlobReader {
  size: number
  read(offset: number, length: number): Promise<Uint8Array>
}

export type CommandHandler<N extends CommandName> = (
  request: CommandRequest<N>,
  context: { peer: PeerId; signal: AbortSignal },
) => Promise<CommandReply<N>>

/**
 * The network as the coordinator and the volunteers see it. Implemented over libp2p (`libp2p.ts`) and in memory
 * (`memory.ts`); one contract suite judges both.
 */
export interface Network {
  readonly self: PeerId
  /** Answers a command. A thrown `CommandError` reaches the caller with its code; anything else as `INTERNAL`. */
  serve<N extends CommandName>(name: N, handler: CommandHandler<N>): void
  /** @throws CommandError with the peer's code, or PytiError `unreachable` | `timeout` | `bad-reply` */
  request<N extends CommandName>(
    peer: PeerId,
    name: N,
    request: CommandRequest<N>,
    options?: { signal?: AbortSignal },
  ): Promise<CommandReply<N>>
  serveBlobs(open: (sha256: string, peer: PeerId) => Promise<BlobReader | undefined>): void
  /**
   * Pulls a blob in ranges and yields its bytes in order. The caller knows the size beforehand, so nothing larger is
   * ever read; the digest is checked before the last chunk is handed out.
   * @throws PytiError `blob-missing` | `blob-corrupt` | `unreachable` | `timeout`
   */
  fetchBlob(peer: PeerId, blob: BlobRef, options?: { signal?: AbortSignal }): AsyncIterable<Uint8Array>
  /** Sends a hint to every subscribed peer; dropped for a peer that is slow to read. */
  publish(advert: Advert): void
  /** Hints from a peer, until the connection ends or the signal fires. The last one published comes first. */
  adverts(peer: PeerId, options: { signal: AbortSignal }): AsyncIterable<Advert>
  /** @returns a function that removes the listener */
  onPeer(listener: (peer: PeerId, state: 'connected' | 'disconnected') => void): () => void
  /**
   * The network a connected peer is in, as far as that tells machines of one owner: IPv4 /24 or IPv6 /48; empty for loopback,
   * private addresses and peers that are not connected.
   */
  prefixOf(peer: PeerId): string
  stop(): Promise<void>
}
