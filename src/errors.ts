/** The one base of every error this project throws on purpose. `code` is for programs, `message` says what
 * happened, `hint` says what the reader can do next. */
export class PytiError<Code extends string = string> extends Error {
  readonly code: Code
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: Code,
    message: string,
    options: { hint?: string; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PytiError'
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
  }
}

export function isCode<Code extends string>(error: unknown, ...codes: Code[]): error is PytiError<Code> {
  return error instanceof PytiError && (codes as string[]).includes(error.code)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
