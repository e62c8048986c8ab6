import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { PytiError } from '../errors.ts'
import { Done, frameTypes, GuestEvent, Hello, Item } from '../wire/guest.ts'
import { limits } from '../wire/limits.ts'
import { readOutput } from './disks.ts'
import { decodeGuestFrames, encodeHostFrame, type Frame } from './frames.ts'
import type { WrittenJob } from './job-disk.ts'
import type { Exit, Vm } from './vm.ts'

/** How far the guest had come when a session failed: package code runs only after `working`. */
export type SessionStage = 'booting' | 'idle' | 'setting up' | 'working'

/** A guest hands over its record and one log per task. */
const maxItems = 64
/** It tells of the start and end of each task, and of some steps between. */
const maxEvents = 10_000
/** What a data frame carries but for the last of an item; the agent sends 60 KiB. */
const leastDataBytes = 1024
/** A guest that closed its channel is about to end: so long its `Exit` is waited for. */
const lastBreathMs = 3_000

interface Fence {
  ms: number
  code: 'guest-silent' | 'guest-timeout'
  message: string
  signal?: AbortSignal | undefined
}

/**
 * The host's side of the raw data API (docs/protocol.md): HELLO, any number of PING and WARM, one GO, events and items,
 * DONE, BYE. The bytes of the guest are untrusted throughout: order, sizes, names and digests are checked and a run
 * without BYE never counts as one.
 *
 * Every method throws PytiError `guest-silent` | `guest-timeout` | `guest-ended` | `bad-frame` | `output-too-large` |
 * `host-out-of-memory`; `details.stage` says how far it had come, `details.exit` how the VM ended. A session that has
 * thrown is over.
 */
export class GuestSession {
  readonly #vm: Vm
  readonly #frames: AsyncGenerator<Frame>
  #stage: SessionStage = 'booting'

  constructor(vm: Vm) {
    this.#vm = vm
    this.#frames = decodeGuestFrames(vm.channel as AsyncIterable<Buffer>, limits.guestOutputBytes)
  }

  /** Waits until the guest is up; a clone of a template said HELLO before it was saved and answers PING instead. */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<Hello> {
    const fence: Fence = {
      ms: timeoutMs,
      code: 'guest-silent',
      message: `the guest said nothing for ${timeoutMs} ms after its start`,
      signal,
    }
    const hello = await this.#within(fence, async () => {
      if (!this.#vm.hello) return parse(Hello, await expect(this.#frames, frameTypes.hello))
      await this.#send(frameTypes.ping, {})
      return this.#vm.hello
    })
    this.#stage = 'idle'
    return hello
  }

  /** One round trip. */
  ping(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const message = `the guest did not answer within ${timeoutMs} ms`
    return this.#within({ ms: timeoutMs, code: 'guest-silent', message, signal }, () =>
      this.#send(frameTypes.ping, {}),
    )
  }

  /** Lets the guest load its tools before it has a job. */
  warm(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const message = `the guest did not load its tools within ${timeoutMs} ms`
    return this.#within({ ms: timeoutMs, code: 'guest-silent', message, signal }, () =>
      this.#send(frameTypes.warm, {}),
    )
  }

  /** The one job of this guest: everything it hands out, whole and with its digests checked. */
  run(
    job: WrittenJob,
    options: {
      wallMs: number
      /** Where the guest's clock begins, in milliseconds since 1970. */
      clockMs: number
      outputDisk: string
      onEvent?: (event: GuestEvent) => void
      signal?: AbortSignal
    },
  ): Promise<Map<string, Buffer>> {
    const { wallMs, clockMs, signal } = options
    const message = `the guest did not end within ${wallMs} ms`
    return this.#within({ ms: wallMs, code: 'guest-timeout', message, signal }, async () => {
      this.#stage = 'setting up'
      await this.#send(frameTypes.go, {
        job: { bytes: job.bytes, sha256: job.sha256 },
        entropy: randomBytes(32).toString('hex'),
        clockMs,
      })
      return collect(this.#frames, options.outputDisk, event => {
        if (event.task === 'setup' && event.state === 'end') this.#stage = 'working'
        options.onEvent?.(event)
      })
    })
  }

  /** UML's serial line bears one outstanding frame (sandbox.md section 3), hence the ACK. */
  async #send(type: number, value: object): Promise<void> {
    this.#vm.channel.write(encodeHostFrame(type, value))
    await expect(this.#frames, frameTypes.ack)
  }

  async #within<T>(fence: Fence, work: () => Promise<T>): Promise<T> {
    fence.signal?.throwIfAborted()
    const stop = () => this.#vm.channel.destroy()
    let overdue = false
    const timer = setTimeout(() => {
      overdue = true
      stop()
    }, fence.ms)
    fence.signal?.addEventListener('abort', stop, { once: true })
    try {
      return await work()
    } catch (error) {
      fence.signal?.throwIfAborted()
      if (overdue) throw this.#failure(fence.code, fence.message, { kind: 'timeout' })
      throw await this.#explain(error)
    } finally {
      clearTimeout(timer)
      fence.signal?.removeEventListener('abort', stop)
    }
  }

  async #explain(error: unknown): Promise<PytiError> {
    const ended = !(error instanceof PytiError) || error.code === 'guest-ended'
    const exit = ended ? await lastBreath(this.#vm) : await this.#vm.kill()
    if (exit.kind === 'oom')
      return this.#failure('host-out-of-memory', 'the host had no memory left for the VM', exit, error)
    if (error instanceof PytiError) return this.#failure(error.code, error.message, exit, error)
    return this.#failure('guest-ended', withoutBye, exit, error)
  }

  #failure(code: string, message: string, exit: Exit, cause?: unknown): PytiError {
    return new PytiError(code, message, {
      details: { stage: this.#stage, exit, console: this.#vm.console() },
      cause,
    })
  }
}

const withoutBye = 'the guest ended before it had handed everything over'

async function lastBreath(vm: Vm): Promise<Exit> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), lastBreathMs)
  })
  const exit = await Promise.race([vm.exited, late])
  clearTimeout(timer)
  return exit ?? vm.kill()
}

async function collect(
  frames: AsyncGenerator<Frame>,
  outputDisk: string,
  onEvent: (event: GuestEvent) => void,
): Promise<Map<string, Buffer>> {
  const items = new Map<string, Buffer>()
  const whole = createHash('sha256')
  let total = 0
  let events = 0
  for (;;) {
    const frame = await next(frames)
    if (frame.type === frameTypes.event) {
      if (++events > maxEvents) throw new PytiError('bad-frame', 'the guest has too much to tell')
      onEvent(parse(GuestEvent, frame.payload))
    } else if (frame.type === frameTypes.item) {
      const item = parse(Item, frame.payload)
      if (items.has(item.name)) throw new PytiError('bad-frame', `the guest sent ${item.name} twice`)
      total += item.size
      if (items.size >= maxItems || total > limits.guestOutputBytes)
        throw new PytiError(
          'output-too-large',
          `the guest announced more than ${limits.guestOutputBytes} bytes`,
        )
      const data = await readItem(frames, outputDisk, item)
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

async function readItem(
  frames: AsyncGenerator<Frame>,
  outputDisk: string,
  item: z.infer<typeof Item>,
): Promise<Buffer> {
  const data =
    item.at === undefined
      ? await readData(frames, item.size)
      : await readOutput(outputDisk, item.at, item.size)
  if (data?.length !== item.size || createHash('sha256').update(data).digest('hex') !== item.sha256)
    throw new PytiError('bad-frame', `${item.name} does not have the size and digest the guest announced`)
  return data
}

async function readData(frames: AsyncGenerator<Frame>, size: number): Promise<Buffer> {
  const data = Buffer.alloc(size)
  let got = 0
  while (got < size) {
    const payload = await expect(frames, frameTypes.data)
    // A frame costs the host the same whatever is in it: tiny ones would make 64 MiB of them cost gigabytes.
    if (payload.length > size - got || payload.length < Math.min(leastDataBytes, size - got))
      throw new PytiError('bad-frame', `a data frame of ${payload.length} bytes with ${size - got} to come`)
    payload.copy(data, got)
    got += payload.length
  }
  return data
}

async function next(frames: AsyncGenerator<Frame>): Promise<Frame> {
  const { value, done } = await frames.next()
  if (done) throw new PytiError('guest-ended', withoutBye)
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
