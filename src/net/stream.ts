import type { Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

export type Chunk = Uint8Array | Uint8ArrayList

/**
 * A v3 stream as an async iterable with backpressure: at most one window is buffered while the consumer is busy. The
 * library's own iterator and `messageStreamToDuplex` queue without bound, or lose the tail when paused
 * (libp2p-and-style.md A3). The stream still belongs to the caller, who closes or aborts it.
 * @throws the stream's error when it is reset; a lost connection looks like a clean end, so length and digest must
 *   travel in the data
 */
export async function* readable(stream: Stream): AsyncGenerator<Chunk, void> {
  const queue: Chunk[] = []
  let ended = stream.readableEnded || stream.readStatus === 'closed'
  // The listeners below come too late for a stream that broke before anybody read it.
  let failure = ['reset', 'aborted'].includes(stream.status) ? new Error('the stream was reset') : undefined
  let wake = () => {}

  // Pausing inside the listener would be undone by the `resume()` that is dispatching it, which reopens the window.
  const pause = () => {
    if (queue.length > 0 && stream.readStatus === 'readable') stream.pause()
  }
  const onMessage = (event: { data: Chunk }) => {
    queue.push(event.data)
    queueMicrotask(pause)
    wake()
  }
  const onEnd = () => {
    ended = true
    wake()
  }
  const onClose = (event: { error?: Error }) => {
    failure ??= event.error
    // Bytes held back by a pause come first: `end` follows them.
    if (failure !== undefined || stream.readBufferLength === 0) ended = true
    wake()
  }
  stream.addEventListener('message', onMessage)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onClose)
  try {
    while (true) {
      const chunk = queue.shift()
      if (chunk !== undefined) {
        yield chunk
        continue
      }
      if (failure !== undefined) throw failure
      if (ended) return
      const woken = new Promise<void>(resolve => {
        wake = resolve
      })
      if (stream.readStatus === 'paused') stream.resume()
      await woken
    }
  } finally {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('close', onClose)
  }
}
