import type { Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Clock } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'

/** How long the other side has to close its half before the stream is torn down: an open half holds one of its slots. */
const graceMs = 5_000

/**
 * Frames over a stream. `lpStream` alone reads an endless length prefix byte by byte for as long as it comes.
 * @param maxBytes longest frame taken; a longer one is an error before its first byte is read
 */
export function frames(stream: Stream, maxBytes: number): LengthPrefixedStream<Stream> {
  return lpStream(stream, { maxDataLength: maxBytes, lengthDecoder: decodeLength })
}

/**
 * Next frame as one piece.
 * @throws PytiError `unexpected-end` | `bad-frame`
 */
export async function readFrame(io: LengthPrefixedStream<Stream>, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return (await io.read({ signal })).subarray()
  } catch (error) {
    if (isMalformedFrame(error)) throw new PytiError('bad-frame', messageOf(error), { cause: error })
    if (error instanceof Error && error.name === 'UnexpectedEOFError')
      throw new PytiError('unexpected-end', 'the stream ended before the frame did', { cause: error })
    throw error
  }
}

/** Whether bytes of the peer do not form a frame, as opposed to a stream that broke. */
export function isMalformedFrame(error: unknown): boolean {
  if (isCode(error, 'bad-frame')) return true
  return error instanceof Error && malformedFrameErrors.includes(error.name)
}

const malformedFrameErrors = [
  'InvalidMessageLengthError',
  'InvalidDataLengthError',
  'InvalidDataLengthLengthError',
]

/** Unsigned varint of at most four bytes (256 MiB); a RangeError asks `lpStream` for one byte more. */
function decodeLength(bytes: Uint8ArrayList): number {
  let value = 0
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes.get(index)
    value += (byte & 0x7f) << (7 * index)
    if (byte < 0x80) return value
  }
  if (bytes.length >= 4) throw new PytiError('bad-frame', 'the length of a frame has more than four bytes')
  throw new RangeError('the length goes on')
}

/**
 * Runs one conversation and always ends the stream: closed after success, reset after a failure or when the signal
 * fires, whatever `talk` is waiting for.
 */
export async function converse<T>(
  stream: Stream,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
  talk: (stream: Stream) => Promise<T>,
): Promise<T> {
  const reset = () => stream.abort(toError(signal.reason))
  signal.addEventListener('abort', reset, { once: true })
  try {
    signal.throwIfAborted()
    const result = await talk(stream)
    closeSoon(stream, clock)
    return result
  } catch (error) {
    stream.abort(toError(error))
    throw error
  } finally {
    signal.removeEventListener('abort', reset)
  }
}

/** A signal that fires when the stream goes away before `stop` is called. */
export function whileOpen(stream: Stream): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  const gone = () => controller.abort(new PytiError('unreachable', 'the peer is gone'))
  stream.addEventListener('close', gone, { once: true })
  if (isOver(stream)) gone()
  return { signal: controller.signal, stop: () => stream.removeEventListener('close', gone) }
}

export function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** Closes our half, and the whole stream when the other half stays open. Never waits, never throws. */
export function closeSoon(stream: Stream, clock: Clock): void {
  if (isOver(stream)) return
  const closed = new AbortController()
  stream.addEventListener('close', () => closed.abort(), { once: true })
  stream.close({ signal: closed.signal }).catch(error => stream.abort(toError(error)))
  clock.sleep(graceMs, closed.signal).then(
    () => stream.abort(new PytiError('timeout', 'the peer left the stream open')),
    () => {},
  )
}

function isOver(stream: Stream): boolean {
  return stream.status !== 'open' && stream.status !== 'closing'
}
