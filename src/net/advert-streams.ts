import type { Stream } from '@libp2p/interface'
import { messageOf, PytiError } from '../errors.ts'
import type { Advert } from '../wire/commands.ts'
import { type AdvertBoard, type AdvertSink, decodeAdverts, frameAdvert } from './adverts.ts'
import { withDeadline } from './deadline.ts'
import { isMalformedFrame, toError } from './exchange.ts'
import { type Link, portError } from './link.ts'
import type { PeerId } from './network.ts'
import { advertProtocol } from './protocols.ts'
import { Quota } from './quota.ts'
import { readable } from './stream.ts'

/** Pushes the board's adverts to every peer that opens a stream for them. */
export function serveAdverts(link: Link, board: AdvertBoard): void {
  const quota = new Quota(advertProtocol.quota, link.clock.now)
  link.handle(advertProtocol, async (stream, peer) => {
    const wait = quota.take(peer)
    if (wait > 0) throw new PytiError('rate-limited', `next subscription in ${wait} ms`)
    const sink = sinkOf(stream)
    const end = () => {
      board.unsubscribe(peer, sink)
      stream.close().catch(error => stream.abort(toError(error)))
    }
    stream.addEventListener('close', () => board.unsubscribe(peer, sink))
    stream.addEventListener('remoteCloseWrite', end)
    stream.addEventListener('drain', () => board.drained(peer))
    // Nothing is expected from the other side.
    stream.addEventListener('message', () =>
      stream.abort(new PytiError('bad-frame', 'data on an advert stream')),
    )
    board.subscribe(peer, sink)
  })
}

function sinkOf(stream: Stream): AdvertSink {
  return {
    offer: advert => {
      // `send()` would queue; what a slow peer has not read yet is outdated anyway.
      if (stream.writeStatus !== 'writable' || stream.writableNeedsDrain) return false
      stream.send(frameAdvert(advert))
      return true
    },
    close: reason => stream.abort(new Error(reason)),
  }
}

/**
 * Adverts of a peer until the stream ends, for whatever reason.
 * @throws PytiError `unreachable` | `timeout` when it cannot be opened, `bad-reply`; CommandError `UNSUPPORTED_VERSION`
 */
export async function* followAdverts(
  link: Link,
  peer: PeerId,
  signal: AbortSignal,
): AsyncGenerator<Advert, void> {
  const stream = await subscribe(link, peer, signal)
  if (stream === undefined) return
  const stop = () => stream.abort(new Error('subscription ended'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    if (!signal.aborted) yield* decodeAdverts(readable(stream))
  } catch (error) {
    if (isMalformedFrame(error)) throw new PytiError('bad-reply', `malformed advert: ${messageOf(error)}`)
    if (error instanceof PytiError && !signal.aborted) throw error
    link.log.debug('adverts ended', { peer, error: messageOf(error) })
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

async function subscribe(link: Link, peer: PeerId, signal: AbortSignal): Promise<Stream | undefined> {
  if (signal.aborted) return undefined
  const limit = { ms: advertProtocol.timeoutMs, what: `subscribing to ${peer}`, signal }
  try {
    return await withDeadline(link.clock, limit, deadline => link.open(peer, advertProtocol, deadline))
  } catch (error) {
    if (signal.aborted) return undefined
    throw portError(peer, 'adverts', error)
  }
}
