import { PytiError } from '../errors.ts'
import { type Logger, silentLogger } from '../logger.ts'
import type { Advert, CommandName, CommandReply, CommandRequest } from '../wire/commands.ts'
import { AdvertBoard, type AdvertSink, decodeAdverts, frameAdvert } from './adverts.ts'
import { decodeRange, encodeRange, type OpenBlob, pullBlob, rangeAnswerer } from './blobs.ts'
import { CommandError } from './command-error.ts'
import type { BlobRef, Network, PeerId } from './network.ts'
import { type CommandAnswerer, commandAnswerer, decodeReply, encodeRequest } from './rpc.ts'

/**
 * The network inside one process. Bytes pass through the same codecs and checks as on the wire and arrive in
 * microtasks: no timers, so no timeouts, and the same calls give the same order every time.
 */
export interface MemoryHub {
  /** Adds a node, connected to all others; one that stopped may join again. @throws PytiError `already-joined` */
  join(peer: PeerId, options?: { log?: Logger }): Network
  /** Cuts a node off until `connect`: what it waits for, and what others wait for from it, fails. */
  disconnect(peer: PeerId): void
  connect(peer: PeerId): void
}

type PeerListener = Parameters<Network['onPeer']>[0]

interface Member {
  peer: PeerId
  answerers: Map<CommandName, CommandAnswerer>
  openBlob: OpenBlob | undefined
  board: AdvertBoard
  listeners: Set<PeerListener>
  log: Logger
  /** Aborted when the connections end; a new one comes with the next. */
  online: AbortController | undefined
}

/** A slow reader gets no more adverts than this ahead of what it has read. */
const advertsAhead = 64

export function createMemoryHub(): MemoryHub {
  const members = new Map<PeerId, Member>()

  const announce = (member: Member, state: 'connected' | 'disconnected') => {
    for (const other of members.values()) {
      if (other === member || other.online === undefined) continue
      tell(other, member.peer, state)
      tell(member, other.peer, state)
    }
  }
  const connect = (peer: PeerId) => {
    const member = members.get(peer)
    if (member === undefined || member.online !== undefined) return
    member.online = new AbortController()
    announce(member, 'connected')
  }
  const disconnect = (peer: PeerId) => {
    const member = members.get(peer)
    if (member?.online === undefined) return
    member.online.abort(new PytiError('unreachable', `the connection to ${peer} was lost`))
    member.online = undefined
    announce(member, 'disconnected')
  }
  const reach = (from: Member, peer: PeerId): Reached => {
    const member = members.get(peer)
    if (from.online === undefined || member?.online === undefined || member === from)
      throw new PytiError('unreachable', `there is no connection to ${peer}`)
    return { member, lost: [from.online.signal, member.online.signal] }
  }

  return {
    connect,
    disconnect,
    join: (peer, { log = silentLogger } = {}) => {
      if (members.has(peer)) throw new PytiError('already-joined', `${peer} is in the network already`)
      const member: Member = {
        peer,
        answerers: new Map(),
        openBlob: undefined,
        board: new AdvertBoard(),
        listeners: new Set(),
        log,
        online: undefined,
      }
      members.set(peer, member)
      connect(peer)
      const leave = () => {
        disconnect(peer)
        member.board.close()
        if (members.get(peer) === member) members.delete(peer)
      }
      return networkOf(member, other => reach(member, other), leave)
    },
  }
}

interface Reached {
  member: Member
  /** Fire when either side goes offline. */
  lost: AbortSignal[]
}

function networkOf(self: Member, reach: (peer: PeerId) => Reached, leave: () => void): Network {
  return {
    self: self.peer,
    serve: (name, handler) => {
      if (self.answerers.has(name)) throw new PytiError('already-served', `${name} has a handler already`)
      self.answerers.set(name, commandAnswerer(name, handler, self.log))
    },
    request: (peer, name, request, { signal } = {}) => ask(self, () => reach(peer), name, request, signal),
    serveBlobs: open => {
      if (self.openBlob) throw new PytiError('already-served', 'blobs have a handler already')
      self.openBlob = open
    },
    fetchBlob: (peer, blob, { signal } = {}) => fetchBlob(self, () => reach(peer), blob, signal),
    publish: advert => self.board.publish(advert),
    adverts: (peer, { signal }) => followAdverts(self, () => reach(peer), signal),
    onPeer: listener => {
      self.listeners.add(listener)
      return () => self.listeners.delete(listener)
    },
    prefixOf: () => '',
    stop: async () => leave(),
  }
}

async function ask<N extends CommandName>(
  self: Member,
  reach: () => Reached,
  name: N,
  request: CommandRequest<N>,
  signal: AbortSignal | undefined,
): Promise<CommandReply<N>> {
  const bytes = encodeRequest(name, request)
  signal?.throwIfAborted()
  const { member, lost } = reach()
  const ended = AbortSignal.any(signal ? [signal, ...lost] : lost)
  const reply = await unless(ended, async () => {
    await null
    const answer = member.answerers.get(name)
    if (!answer)
      throw new CommandError('UNSUPPORTED_VERSION', `${member.peer} does not serve the ${name} command`)
    return answer(bytes, { peer: self.peer, signal: ended })
  })
  return decodeReply(name, reply)
}

async function* fetchBlob(
  self: Member,
  reach: () => Reached,
  blob: BlobRef,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  signal?.throwIfAborted()
  const { member, lost } = reach()
  const open = member.openBlob
  if (open === undefined) throw new PytiError('blob-missing', `${member.peer} hands out no blobs`)
  const ended = AbortSignal.any(signal ? [signal, ...lost] : lost)
  const answer = rangeAnswerer(open, self.peer, member.log)
  let turn: Promise<unknown> = Promise.resolve()
  yield* pullBlob(blob, range => {
    const earlier = turn
    const replied = unless(ended, async () => {
      await earlier
      return decodeRange(await answer(encodeRange(range)), range)
    })
    turn = replied
    return replied
  })
}

async function* followAdverts(
  self: Member,
  reach: () => Reached,
  signal: AbortSignal,
): AsyncGenerator<Advert, void> {
  if (signal.aborted) return
  const { member, lost } = reach()
  const ended = AbortSignal.any([signal, ...lost])
  const queue: Uint8Array[] = []
  let closed = false
  let wake = () => {}
  const sink: AdvertSink = {
    offer: advert => {
      if (queue.length >= advertsAhead) return false
      queue.push(frameAdvert(advert))
      wake()
      return true
    },
    close: () => {
      closed = true
      wake()
    },
  }
  const end = () => sink.close('ended')
  ended.addEventListener('abort', end, { once: true })
  async function* frames(): AsyncGenerator<Uint8Array, void> {
    while (!closed) {
      const frame = queue.shift()
      if (frame !== undefined) {
        member.board.drained(self.peer)
        yield frame
      } else
        await new Promise<void>(resolve => {
          wake = resolve
        })
    }
  }
  member.board.subscribe(self.peer, sink)
  try {
    yield* decodeAdverts(frames())
  } finally {
    ended.removeEventListener('abort', end)
    member.board.unsubscribe(self.peer, sink)
  }
}

function tell(member: Member, peer: PeerId, state: 'connected' | 'disconnected'): void {
  queueMicrotask(() => {
    for (const listener of member.listeners) listener(peer, state)
  })
}

/** Settles with `work`, or with the signal's reason when that fires first. */
function unless<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop))
  })
}
