import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import { BlobRequest, CommandFailure } from '../wire/commands.ts'
import { limits } from '../wire/limits.ts'
import { CommandError } from './command-error.ts'
import type { BlobReader, BlobRef, PeerId } from './network.ts'
import { describe, encodeFailure, parseJson } from './rpc.ts'

/** A reply frame is one byte that says which, then the range or a `CommandFailure`. */
const kinds = { data: 0, failure: 1 } as const
export const blobFrameBytes = limits.blobChunkBytes + 1

/** Ranges asked for ahead of the reader: 1 MiB, what one stream's window holds (libp2p-and-style.md A5). */
const rangesInFlight = 4

export type OpenBlob = (sha256: string, peer: PeerId) => Promise<BlobReader | undefined>
export type BlobRange = z.infer<typeof BlobRequest>
/** Asks for one range. Calls are made in order; replies may be awaited in any. */
export type FetchRange = (range: BlobRange) => Promise<Uint8Array>

/**
 * Yields a blob's bytes in order, never more than its size. Ranges are fetched only as fast as the consumer takes them.
 * @throws PytiError `blob-corrupt` before the last chunk is handed out, and whatever `fetchRange` throws
 */
export async function* pullBlob(blob: BlobRef, fetchRange: FetchRange): AsyncGenerator<Uint8Array, void> {
  const hash = createHash('sha256')
  const pending: Promise<Uint8Array>[] = []
  let asked = 0
  const ask = () => {
    while (pending.length < rangesInFlight && asked < blob.size) {
      const length = Math.min(limits.blobChunkBytes, blob.size - asked)
      const range = fetchRange({ sha256: blob.sha256, offset: asked, length })
      // A failure is seen when its turn comes; until then it must not count as unhandled.
      range.catch(() => {})
      pending.push(range)
      asked += length
    }
  }
  ask()
  let last: Uint8Array | undefined
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const chunk = await next
    hash.update(chunk)
    ask()
    if (pending.length === 0) last = chunk
    else yield chunk
  }
  const digest = hash.digest('hex')
  if (digest !== blob.sha256)
    throw new PytiError(
      'blob-corrupt',
      `the ${blob.size} bytes of blob ${blob.sha256} have the digest ${digest}`,
    )
  if (last !== undefined) yield last
}

/** @throws PytiError `blob-missing` | `blob-corrupt` | `unreachable` */
export function decodeRange(frame: Uint8Array, range: BlobRange): Uint8Array {
  const body = frame.subarray(1)
  if (frame[0] === kinds.data && body.length === range.length) return body
  const failure = CommandFailure.safeParse(frame[0] === kinds.failure ? parseJson(body) : undefined)
  if (!failure.success) throw new PytiError('blob-corrupt', `malformed range of blob ${range.sha256}`)
  const { code, message } = failure.data
  if (code === 'NOT_FOUND') throw new PytiError('blob-missing', `the peer does not have blob ${range.sha256}`)
  if (code === 'CONFLICT') throw new PytiError('blob-corrupt', `blob ${range.sha256}: ${message}`)
  throw new PytiError('unreachable', `the peer does not hand out blob ${range.sha256}: ${code} ${message}`)
}

/** Answers the ranges one peer asks for on one stream. Never throws; a blob is opened once for ranges that follow each other. */
export function rangeAnswerer(
  open: OpenBlob,
  peer: PeerId,
  log: Logger,
): (bytes: Uint8Array) => Promise<Uint8Array> {
  let current: { sha256: string; reader: BlobReader } | undefined
  return async bytes => {
    try {
      const range = BlobRequest.safeParse(parseJson(bytes))
      if (!range.success) throw new CommandError('BAD_REQUEST', describe(range.error))
      const { sha256, offset, length } = range.data
      if (current?.sha256 !== sha256) {
        const reader = await open(sha256, peer)
        current = reader && { sha256, reader }
      }
      if (current === undefined) throw new CommandError('NOT_FOUND', 'no such blob')
      if (offset + length > current.reader.size)
        throw new CommandError('CONFLICT', `it has ${current.reader.size} bytes here`)
      const data = await current.reader.read(offset, length)
      if (data.length !== length) throw new Error(`read ${data.length} bytes of ${length} at ${offset}`)
      return Buffer.concat([Uint8Array.of(kinds.data), data])
    } catch (error) {
      if (!(error instanceof CommandError)) log.error('blob range failed', { peer, error: messageOf(error) })
      const failure =
        error instanceof CommandError ? error : new CommandError('INTERNAL', 'the blob cannot be read')
      return Buffer.concat([Uint8Array.of(kinds.failure), encodeFailure(failure)])
    }
  }
}

export function encodeRange(range: BlobRange): Uint8Array {
  return canonicalBytes(range)
}
