import type { Stream } from '@libp2p/interface'
import { isCode, PytiError } from '../errors.ts'
import {
  blobFrameBytes,
  decodeRange,
  encodeRange,
  type FetchRange,
  type OpenBlob,
  pullBlob,
  rangeAnswerer,
} from './blobs.ts'
import { withDeadline } from './deadline.ts'
import { closeSoon, converse, frames, readFrame } from './exchange.ts'
import { type Link, portError } from './link.ts'
import type { BlobRef, PeerId } from './network.ts'
import { blobProtocol } from './protocols.ts'
import { Quota } from './quota.ts'

const maxRequestBytes = 1_024
/** A reader may be busy with what it got, writing to a slow disk for example. */
const idleMs = 120_000

/** Hands out blobs: any number of ranges per stream, answered in the order they were asked for. */
export function serveBlobs(link: Link, open: OpenBlob): void {
  const { clock, stopped } = link
  const quota = new Quota(blobProtocol.quota, clock.now)
  link.handle(blobProtocol, (stream, peer) =>
    converse(stream, { clock, signal: stopped }, async () => {
      const io = frames(stream, maxRequestBytes)
      const answer = rangeAnswerer(open, peer, link.log)
      const next = (signal: AbortSignal) => readFrame(io, signal)
      while (true) {
        const limit = { ms: idleMs, what: 'waiting for the next range', signal: stopped }
        const request = await withDeadline(clock, limit, next).catch(endOfRequests)
        if (request === undefined) return
        for (let wait = quota.take(peer); wait > 0; wait = quota.take(peer)) await clock.sleep(wait, stopped)
        const reply = await answer(request)
        const write = (signal: AbortSignal) => io.write(reply, { signal })
        await withDeadline(
          clock,
          { ms: blobProtocol.timeoutMs, what: 'sending a range', signal: stopped },
          write,
        )
      }
    }),
  )
}

/** Pulls a blob over one stream; the errors are those of the port. */
export async function* fetchBlob(
  link: Link,
  peer: PeerId,
  blob: BlobRef,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const leave = await link.enter(peer, blobProtocol, signal)
  let stream: Stream | undefined
  try {
    if (blob.size > 0) {
      const limit = { ms: blobProtocol.timeoutMs, what: `opening a stream to ${peer}`, signal }
      stream = await withDeadline(link.clock, limit, deadline => link.open(peer, blobProtocol, deadline))
    }
    yield* pullBlob(blob, rangesOf(link, stream, signal))
    if (stream) closeSoon(stream, link.clock)
    stream = undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'UnsupportedProtocolError')
      throw new PytiError('blob-missing', `${peer} hands out no blobs`, { cause: error })
    throw portError(peer, `blob ${blob.sha256}`, error, signal)
  } finally {
    // Also when the consumer stops half-way.
    stream?.abort(new Error('blob no longer wanted'))
    leave()
  }
}

function rangesOf(link: Link, stream: Stream | undefined, signal: AbortSignal | undefined): FetchRange {
  const io = stream && frames(stream, blobFrameBytes)
  let turn: Promise<unknown> = Promise.resolve()
  return range => {
    const asked = io?.write(encodeRange(range))
    asked?.catch(() => {})
    const earlier = turn
    const reply = async () => {
      await earlier
      if (!io) throw new PytiError('blob-missing', 'no stream was opened')
      const limit = { ms: blobProtocol.timeoutMs, what: `a range of blob ${range.sha256}`, signal }
      const frame = await withDeadline(link.clock, limit, async deadline => {
        await asked
        return readFrame(io, deadline)
      })
      return decodeRange(frame, range)
    }
    const replied = reply()
    turn = replied
    return replied
  }
}

/** A reader closes its stream when it has everything. */
function endOfRequests(error: unknown): undefined {
  if (isCode(error, 'unexpected-end')) return undefined
  throw error
}
