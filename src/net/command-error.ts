import { PytiError } from '../errors.ts'
import type { CommandErrorCode } from '../wire/commands.ts'

/** A failure the other side is told about, code and message. */
export class CommandError extends PytiError<CommandErrorCode> {
  readonly retryAfterMs: number | undefined

  constructor(
    code: CommandErrorCode,
    message: string,
    options: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(code, message, { cause: options.cause })
    this.name = 'CommandError'
    this.retryAfterMs = options.retryAfterMs
  }
}
