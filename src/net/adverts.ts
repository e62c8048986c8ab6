import * as lp from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { PytiError } from '../errors.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import { Advert } from '../wire/commands.ts'
import type { PeerId } from './network.ts'
import { describe, parseJson } from './rpc.ts'
import type { Chunk } from './stream.ts'

/** Two safe integers and their names fit in a quarter of it. */
const maxAdvertBytes = 256

/** The sending end of one subscription. */
export interface AdvertSink {
  /** @returns false when the peer is slow to read and the advert was not taken */
  offer(advert: Uint8Array): boolean
  /** Ends the subscription. */
  close(reason: string): void
}

/** The adverts a node publishes, and one subscription per peer. */
export class AdvertBoard {
  readonly #subscriptions = new Map<PeerId, { sink: AdvertSink; behind: boolean }>()
  #last: Uint8Array | undefined

  /** The newest subscription of a peer wins: the older one may be a leftover of a lost connection. */
  subscribe(peer: PeerId, sink: AdvertSink): void {
    this.#subscriptions.get(peer)?.sink.close('superseded by a newer subscription')
    this.#subscriptions.set(peer, { sink, behind: false })
    if (this.#last !== undefined) this.#offer(peer, this.#last)
  }

  unsubscribe(peer: PeerId, sink: AdvertSink): void {
    if (this.#subscriptions.get(peer)?.sink === sink) this.#subscriptions.delete(peer)
  }

  /** The peer reads again: if adverts were dropped for it, the newest one makes up for all of them. */
  drained(peer: PeerId): void {
    if (this.#last !== undefined && this.#subscriptions.get(peer)?.behind) this.#offer(peer, this.#last)
  }

  publish(advert: Advert): void {
    this.#last = canonicalBytes(Advert.parse(advert))
    for (const peer of this.#subscriptions.keys()) this.#offer(peer, this.#last)
  }

  close(): void {
    for (const { sink } of this.#subscriptions.values()) sink.close('this node stops')
    this.#subscriptions.clear()
  }

  #offer(peer: PeerId, advert: Uint8Array): void {
    const subscription = this.#subscriptions.get(peer)
    if (subscription === undefined) return
    subscription.behind = !subscription.sink.offer(advert)
  }
}

/** One advert as it travels on the push stream. */
export const frameAdvert = (advert: Uint8Array): Uint8Array => lp.encode.single(advert).subarray()

/**
 * Adverts out of the bytes of a push stream.
 * @throws PytiError `bad-reply`
 */
export function decodeAdverts(source: AsyncIterable<Chunk>): AsyncGenerator<Advert, void> {
  return pipe(
    source,
    bytes => lp.decode(bytes, { maxDataLength: maxAdvertBytes }),
    frames => parseAdverts(frames),
  )
}

async function* parseAdverts(frames: AsyncIterable<Chunk>): AsyncGenerator<Advert, void> {
  for await (const frame of frames) {
    const advert = Advert.safeParse(parseJson(frame.subarray()))
    if (!advert.success) throw new PytiError('bad-reply', `malformed advert: ${describe(advert.error)}`)
    yield advert.data
  }
}
