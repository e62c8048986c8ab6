import type { Stream } from '@libp2p/interface'
import type { CommandName, CommandReply, CommandRequest } from '../wire/commands.ts'
import { limits } from '../wire/limits.ts'
import { CommandError } from './command-error.ts'
import { withDeadline } from './deadline.ts'
import { converse, frames, readFrame, whileOpen } from './exchange.ts'
import { type Link, portError } from './link.ts'
import type { CommandHandler, PeerId } from './network.ts'
import { commandProtocols } from './protocols.ts'
import { Quota } from './quota.ts'
import { type CommandAnswerer, commandAnswerer, decodeReply, encodeFailure, encodeRequest } from './rpc.ts'

/** How long a peer may take to send its request. */
const readMs = 30_000

/** Answers a command: one stream per request, one frame each way. */
export function serveCommand<N extends CommandName>(link: Link, name: N, handler: CommandHandler<N>): void {
  const row = commandProtocols[name]
  const quota = new Quota(row.quota, link.clock.now)
  const answer = limited(quota, commandAnswerer(name, handler, link.log))
  link.handle(row, async (stream, peer) => {
    const open = whileOpen(stream)
    const limit = { ms: row.timeoutMs, what: `answering ${name}`, signal: open.signal }
    try {
      await withDeadline(link.clock, limit, signal =>
        converse(stream, { clock: link.clock, signal }, async () => {
          await answerOne(link, stream, signal, request => answer(request, { peer, signal }))
          // From here on a closed stream is the normal end.
          open.stop()
        }),
      )
    } finally {
      open.stop()
    }
  })
}

/** Asks a command; the errors are those of the port. */
export async function requestCommand<N extends CommandName>(
  link: Link,
  peer: PeerId,
  name: N,
  request: CommandRequest<N>,
  signal?: AbortSignal,
): Promise<CommandReply<N>> {
  const row = commandProtocols[name]
  const bytes = encodeRequest(name, request)
  const leave = await link.enter(peer, row, signal)
  try {
    const limit = { ms: row.timeoutMs, what: `the ${name} request to ${peer}`, signal }
    const reply = await withDeadline(link.clock, limit, async deadline => {
      const stream = await link.open(peer, row, deadline)
      return converse(stream, { clock: link.clock, signal: deadline }, async () => {
        const io = frames(stream, limits.messageBytes)
        await io.write(bytes, { signal: deadline })
        return readFrame(io, deadline)
      })
    })
    return decodeReply(name, reply)
  } catch (error) {
    throw portError(peer, `the ${name} command`, error, signal)
  } finally {
    leave()
  }
}

async function answerOne(
  link: Link,
  stream: Stream,
  signal: AbortSignal,
  answer: (request: Uint8Array) => Promise<Uint8Array>,
): Promise<void> {
  const io = frames(stream, limits.messageBytes)
  const limit = { ms: readMs, what: 'receiving the request', signal }
  const request = await withDeadline(link.clock, limit, deadline => readFrame(io, deadline))
  await io.write(await answer(request), { signal })
}

function limited(quota: Quota, answer: CommandAnswerer): CommandAnswerer {
  return async (request, context) => {
    const retryAfterMs = quota.take(context.peer)
    if (retryAfterMs === 0) return answer(request, context)
    return encodeFailure(
      new CommandError('RATE_LIMITED', 'too many requests from this peer', { retryAfterMs }),
    )
  }
}
