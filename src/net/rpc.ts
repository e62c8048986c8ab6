import { z } from 'zod'
import { messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import {
  CommandFailure,
  type CommandName,
  type CommandReply,
  type CommandRequest,
  commands,
} from '../wire/commands.ts'
import { limits } from '../wire/limits.ts'
import { CommandError } from './command-error.ts'
import type { CommandHandler, PeerId } from './network.ts'

/** A command's handler as a transport sees it: bytes in, bytes out, never throws. */
export type CommandAnswerer = (
  request: Uint8Array,
  context: { peer: PeerId; signal: AbortSignal },
) => Promise<Uint8Array>

/** @throws CommandError `TOO_LARGE` before anything is sent; PytiError `not-json` */
export function encodeRequest<N extends CommandName>(name: N, request: CommandRequest<N>): Uint8Array {
  const bytes = canonicalBytes(request)
  if (bytes.length > limits.messageBytes)
    throw new CommandError(
      'TOO_LARGE',
      `a ${name} request of ${bytes.length} bytes is over ${limits.messageBytes}`,
    )
  return bytes
}

/** Life of one request: parse, check, handle, encode. Every failure becomes a `CommandFailure`; no stack leaves the process. */
export function commandAnswerer<N extends CommandName>(
  name: N,
  handler: CommandHandler<N>,
  log: Logger,
): CommandAnswerer {
  return async (bytes, context) => {
    try {
      const result = await handler(parseRequest(name, bytes), context)
      const reply = canonicalBytes({ ok: true, result })
      if (reply.length <= limits.messageBytes) return reply
      throw new CommandError('TOO_LARGE', `the ${name} reply has ${reply.length} bytes`)
    } catch (error) {
      if (error instanceof CommandError) return encodeFailure(error)
      if (!context.signal.aborted)
        log.error('command handler failed', { command: name, peer: context.peer, error: messageOf(error) })
      return encodeFailure(new CommandError('INTERNAL', `the ${name} command failed on the other side`))
    }
  }
}

export function encodeFailure(error: CommandError): Uint8Array {
  return canonicalBytes({
    ok: false,
    code: error.code,
    message: error.message.slice(0, 1_000).toWellFormed(),
    retryAfterMs: error.retryAfterMs,
  })
}

/** @throws CommandError with the peer's code; PytiError `bad-reply` */
export function decodeReply<N extends CommandName>(name: N, bytes: Uint8Array): CommandReply<N> {
  const schema: z.ZodType = z.discriminatedUnion('ok', [
    z.strictObject({ ok: z.literal(true), result: commands[name].reply }),
    CommandFailure,
  ])
  const parsed = schema.safeParse(parseJson(bytes))
  if (!parsed.success)
    throw new PytiError('bad-reply', `the ${name} reply is malformed: ${describe(parsed.error)}`, {
      hint: 'the other side may run another version of pyti',
    })
  const reply = parsed.data as { ok: true; result: CommandReply<N> } | z.infer<typeof CommandFailure>
  if (reply.ok) return reply.result
  const { code, message, retryAfterMs } = reply
  throw new CommandError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs })
}

/** UTF-8 JSON that came over the network. @returns undefined when it is none, which no schema of ours takes */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return JSON.parse(text, /\\ud[89a-f]/i.test(text) ? demandWellFormed : undefined)
  } catch {
    return undefined
  }
}

/** Half a character, `"\ud800"`, could be stored but never sent on: it has no canonical form (I-JSON, RFC 7493 2.1). */
function demandWellFormed(key: string, value: unknown): unknown {
  if (key.isWellFormed() && (typeof value !== 'string' || value.isWellFormed())) return value
  throw new SyntaxError('half a character')
}

/** First few problems of a failed check, on one line, of bounded length. */
export function describe(error: z.ZodError): string {
  const issues = error.issues.slice(0, 3).map(issue => `${issue.path.join('.') || '(all)'}: ${issue.message}`)
  return issues.join('; ').slice(0, 500)
}

function parseRequest<N extends CommandName>(name: N, bytes: Uint8Array): CommandRequest<N> {
  const schema: z.ZodType = commands[name].request
  const parsed = schema.safeParse(parseJson(bytes))
  if (!parsed.success) throw new CommandError('BAD_REQUEST', `${name}: ${describe(parsed.error)}`)
  return parsed.data as CommandRequest<N>
}
