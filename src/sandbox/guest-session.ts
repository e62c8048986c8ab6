import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { PytiError } from '../errors.ts'
import { Done, frameTypes, GuestEvent, Hello, Item } from '../wire/guest.ts'
import { limits } from '../wire/limits.ts'
import { decodeGuestFrames, encodeHostFrame, type Frame } from './frames.ts'
import type { JobDisk } from './job-disk.ts'
import type { Vm } from './vm.ts'

/** Everything a guest handed out, whole and with its digests checked. */
export interface GuestOutput {
  hello: Hello
  items: Map<string, Buffer>
  bootMilliseconds: number
  totalMilliseconds: number
}

/** How far the guest had come when a session failed: package code runs only after `working`. */
export type SessionStage = 'booting' | 'working'

/**
 * The host's side of the raw data API (docs/protocol.md): HELLO, GO, events and items, DONE, BYE. The bytes of the guest
 * are untrusted throughout: order, sizes, names and digests are checked and a run without BYE never counts as one.
 * @throws PytiError `guest-silent` no HELLO in time | `guest-timeout` | `guest-ended` without BYE | `bad-frame` |
 *   `output-too-large`; `details.stage` says how far it had come
 */
export async function runSession(
  vm: Vm,
  disk: JobDisk,
  options: {
    bootMs: number
    wallMs: number
    wallClock: () => number
    onEvent?: (event: GuestEvent) => void
    signal?: AbortSignal
  },
): Promise<GuestOutput> {
  const started = performance.now()
  let stage: SessionStage = 'booting'
  const fail = (code: string, message: string, cause?: unknown) =>
    new PytiError(code, message, { details: { stage, console: vm.console() }, cause })

  let overdue: PytiError | undefined
  const end = (error: PytiError) => () => {
    overdue = error
    vm.channel.destroy()
  }
  options.signal?.throwIfAborted()
  let timer = setTimeout(
    () => end(fail('guest-silent', `the guest said nothing for ${options.bootMs} ms after its start`))(),
    options.bootMs,
  )
  const onAbort = () => vm.channel.destroy()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const frames = decodeGuestFrames(vm.channel as AsyncIterable<Buffer>, limits.guestOutputBytes)
    const hello = parse(Hello, await expect(frames, frameTypes.hello))
    const bootMilliseconds = Math.round(performance.now() - started)
    clearTimeout(timer)
    timer = setTimeout(
      () => end(fail('guest-timeout', `the guest did not end within ${options.wallMs} ms`))(),
      options.wallMs,
    )
    vm.channel.write(
      encodeHostFrame(frameTypes.go, {
        job: { bytes: disk.bytes, sha256: disk.sha256 },
        entropy: randomBytes(32).toString('hex'),
        clockMs: options.wallClock(),
      }),
    )
    await expect(frames, frameTypes.ack)
    const items = await collect(frames, event => {
      if (event.task === 'setup' && event.state === 'end') stage = 'working'
      options.onEvent?.(event)
    })
    return { hello, items, bootMilliseconds, totalMilliseconds: Math.round(performance.now() - started) }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (overdue) throw overdue
    if (error instanceof PytiError) throw fail(error.code, error.message, error)
    throw fail('guest-ended', 'the guest ended before it had handed everything over', error)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function collect(
  frames: AsyncGenerator<Frame>,
  onEvent: (event: GuestEvent) => void,
): Promise<Map<string, Buffer>> {
  const items = new Map<string, Buffer>()
  const whole = createHash('sha256')
  for (;;) {
    const frame = await next(frames)
    if (frame.type === frameTypes.event) onEvent(parse(GuestEvent, frame.payload))
    else if (frame.type === frameTypes.item) {
      const item = parse(Item, frame.payload)
      if (items.has(item.name)) throw new PytiError('bad-frame', `the guest sent ${item.name} twice`)
      const data = await readItem(frames, item)
      whole.update(data)
      items.set(item.name, data)
    } else if (frame.type === frameTypes.done) {
      const done = parse(Done, frame.payload)
      if (done.items !== items.size || done.sha256 !== whole.digest('hex'))
        throw new PytiError('bad-frame', 'what the guest sent is not what it says it sent')
      await expect(frames, frameTypes.bye)
      return items
    } else throw new PytiError('bad-frame', `unexpected frame of type ${frame.type}`)
  }
}

async function readItem(frames: AsyncGenerator<Frame>, item: Item): Promise<Buffer> {
  const parts: Buffer[] = []
  let left = item.size
  while (left > 0) {
    const payload = await expect(frames, frameTypes.data)
    left -= payload.length
    parts.push(payload)
  }
  const data = Buffer.concat(parts)
  if (left < 0 || createHash('sha256').update(data).digest('hex') !== item.sha256)
    throw new PytiError('bad-frame', `${item.name} does not have the size and digest the guest announced`)
  return data
}

async function next(frames: AsyncGenerator<Frame>): Promise<Frame> {
  const { value, done } = await frames.next()
  if (done) throw new PytiError('guest-ended', 'the guest ended before it had handed everything over')
  return value
}

async function expect(frames: AsyncGenerator<Frame>, type: number): Promise<Buffer> {
  const frame = await next(frames)
  if (frame.type !== type)
    throw new PytiError('bad-frame', `frame of type ${frame.type} where ${type} belongs`)
  return frame.payload
}

function parse<T extends z.ZodType>(schema: T, payload: Buffer): z.infer<T> {
  let value: unknown
  try {
    value = JSON.parse(payload.toString('utf8'))
  } catch (cause) {
    throw new PytiError('bad-frame', 'the guest sent something that is not JSON', { cause })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success)
    throw new PytiError(
      'bad-frame',
      `the guest sent a malformed message: ${z.prettifyError(parsed.error).slice(0, 300)}`,
    )
  return parsed.data
}
