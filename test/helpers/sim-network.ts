import type { Random } from '../../bench/sabotage/random.ts'
import { PytiError } from '../../src/errors.ts'
import type { Logger } from '../../src/logger.ts'
import { decodeRange, encodeRange, type OpenBlob, pullBlob, rangeAnswerer } from '../../src/net/blobs.ts'
import { CommandError } from '../../src/net/command-error.ts'
import type { Network } from '../../src/net/network.ts'
import {
  type CommandAnswerer,
  commandAnswerer,
  decodeReply,
  encodeFailure,
  encodeRequest,
} from '../../src/net/rpc.ts'
import {
  type CommandName,
  type CommandReply,
  type CommandRequest,
  commands,
} from '../../src/wire/commands.ts'
import type { SimProcess, SimQueue } from './sim-queue.ts'

/** How bad the network is at the moment: chances, and milliseconds. */
export interface NetworkFaults {
  lose: number
  repeat: number
  slowestMs: number
}

export interface SimNetwork {
  faults: NetworkFaults
  /** The coordinator's end, for one life of its process. */
  attach(process: SimProcess, log: Logger): Network
  /** Its process has ended: every connection breaks. */
  detach(): void
  line(peer: string, name: string, prefix: string): SimLine
}

/** A volunteer's end. */
export interface SimLine {
  readonly peer: string
  isOpen(): boolean
  /** Resolves when there is a connection; rejects with `unreachable`. */
  open(): Promise<void>
  /** Both sides learn of it, each in its own time. */
  cut(): void
  /** @throws as `Network.request` */
  call<N extends CommandName>(name: N, request: CommandRequest<N>): Promise<CommandReply<N>>
  /** Any bytes under any name. */
  send(name: CommandName, bytes: Uint8Array): Promise<Uint8Array>
  serveBlobs(open: OpenBlob): void
}

interface Host {
  process: SimProcess
  answerers: Map<CommandName, CommandAnswerer>
  listeners: Set<(peer: string, state: 'connected' | 'disconnected') => void>
  openBlob: OpenBlob | undefined
  log: Logger
  /** Connections of a peer that the coordinator does not know to be broken. */
  links: Map<string, number>
}

interface Link {
  host: Host
  /** For the volunteer. */
  open: boolean
  /** For the coordinator. */
  gone: AbortController
  /** Told when the volunteer's end breaks. */
  waiting: Set<() => void>
}

const rangeTimeoutMs = 30_000

export function createSimNetwork(queue: SimQueue, random: Random): SimNetwork {
  let host: Host | undefined
  const lines = new Map<string, { link: Link | undefined; openBlob: OpenBlob | undefined; prefix: string }>()
  const delay = () => 1 + random.below(network.faults.slowestMs)
  const unreachable = (peer: string) => new PytiError('unreachable', `the connection to ${peer} was lost`)

  const tellGone = (peer: string, link: Link) => {
    if (link.gone.signal.aborted) return
    link.gone.abort(unreachable(peer))
    const left = (link.host.links.get(peer) ?? 1) - 1
    link.host.links.set(peer, left)
    if (left === 0 && link.host.process.alive)
      for (const listener of link.host.listeners) listener(peer, 'disconnected')
  }
  const breakOff = (line: { link: Link | undefined }) => {
    const { link } = line
    line.link = undefined
    if (!link) return
    link.open = false
    for (const tell of [...link.waiting]) tell()
  }

  /** A way there and back: `there` is called when the bytes arrive, what it resolves to travels back. */
  const roundTrip = (
    what: string,
    timeoutMs: number,
    link: Link,
    there: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const end = (act: () => void) => () => {
        cancel()
        link.waiting.delete(broken)
        act()
      }
      const broken = end(() => reject(unreachable(what)))
      const cancel = queue.after(
        timeoutMs,
        `${what} times out`,
        end(() => reject(new PytiError('timeout', `no answer to ${what} within ${timeoutMs} ms`))),
      )
      link.waiting.add(broken)
      const back = (reply: Uint8Array) => {
        if (random.chance(network.faults.lose)) return
        queue.after(
          delay(),
          `${what} answered`,
          end(() => resolve(reply)),
        )
      }
      const copies = random.chance(network.faults.repeat) ? 2 : 1
      for (let copy = 0; copy < copies; copy += 1)
        if (!random.chance(network.faults.lose))
          queue.after(delay(), copy === 0 ? `${what} arrives` : `${what} arrives again`, () => {
            if (link.host.process.alive && !link.gone.signal.aborted) void there().then(back)
          })
    })

  const fetchRanges = (peer: string): ((bytes: Uint8Array) => Promise<Uint8Array>) => {
    const line = lines.get(peer)
    const link = line?.link
    const open = line?.openBlob
    if (!link) throw unreachable(peer)
    if (!open) throw new PytiError('blob-missing', `${peer} hands out no blobs`)
    const answer = rangeAnswerer(open, host?.process.alive ? 'coordinator' : '', link.host.log)
    return bytes => roundTrip('range', rangeTimeoutMs, link, () => answer(bytes))
  }

  const attach: SimNetwork['attach'] = (process, log) => {
    const here: Host = {
      process,
      answerers: new Map(),
      listeners: new Set(),
      openBlob: undefined,
      log,
      links: new Map(),
    }
    host = here
    return {
      self: 'coordinator',
      serve: (name, handler) => here.answerers.set(name, commandAnswerer(name, handler, log)),
      request: () => Promise.reject(new Error('the coordinator asks nobody')),
      serveBlobs: open => {
        here.openBlob = open
      },
      async *fetchBlob(peer, blob, { signal } = {}) {
        const fetch = fetchRanges(peer)
        yield* pullBlob(blob, async range => {
          const reply = fetch(encodeRange(range))
          return decodeRange(await (signal ? orAborted(reply, signal) : reply), range)
        })
      },
      publish: () => {},
      async *adverts() {},
      onPeer: listener => {
        here.listeners.add(listener)
        return () => here.listeners.delete(listener)
      },
      prefixOf: peer => lines.get(peer)?.prefix ?? '',
      stop: async () => {},
    }
  }

  const network: SimNetwork = {
    faults: { lose: 0, repeat: 0, slowestMs: 20 },
    attach,
    detach() {
      host = undefined
      for (const line of lines.values()) {
        const { link } = line
        if (link) queue.after(delay(), 'connection refused', () => line.link === link && breakOff(line))
      }
    },
    line(peer, name, prefix) {
      const line: { link: Link | undefined; openBlob: OpenBlob | undefined; prefix: string } = {
        link: undefined,
        openBlob: undefined,
        prefix,
      }
      lines.set(peer, line)
      const send = async (command: CommandName, bytes: Uint8Array): Promise<Uint8Array> => {
        const { link } = line
        if (!link) throw unreachable('the coordinator')
        return roundTrip(`${command} of ${name}`, commands[command].timeoutMs, link, async () => {
          const answer = link.host.answerers.get(command)
          if (!answer)
            return encodeFailure(new CommandError('UNSUPPORTED_VERSION', `${command} is not served yet`))
          return answer(bytes, { peer, signal: link.gone.signal })
        })
      }
      return {
        peer,
        isOpen: () => line.link !== undefined,
        open: () =>
          new Promise((resolve, reject) =>
            queue.after(delay(), `${name} connects`, () => {
              if (!host?.process.alive || random.chance(network.faults.lose)) return reject(unreachable(name))
              const now = (host.links.get(peer) ?? 0) + 1
              host.links.set(peer, now)
              breakOff(line)
              line.link = { host, open: true, gone: new AbortController(), waiting: new Set() }
              if (now === 1) for (const listener of host.listeners) listener(peer, 'connected')
              resolve()
            }),
          ),
        cut() {
          const { link } = line
          if (!link) return
          breakOff(line)
          queue.after(random.below(5_000), `${name} is gone`, () => tellGone(peer, link))
        },
        async call(command, request) {
          return decodeReply(command, await send(command, encodeRequest(command, request)))
        },
        send,
        serveBlobs: open => {
          line.openBlob = open
        },
      }
    },
  }
  return network
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
