import { messageOf, PytiError } from '../errors.ts'
import { diskTrouble } from '../host-disk.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from '../net/command-error.ts'
import type { CommandErrorCode } from '../wire/commands.ts'

/** What a volunteer or submitter is told for each failure on our side of the command API. */
const codes: Readonly<Record<string, CommandErrorCode>> = {
  'stale-lease': 'STALE_LEASE',
  conflict: 'CONFLICT',
  'bad-event': 'CONFLICT',
  'unknown-job': 'NOT_FOUND',
  'too-many-jobs': 'BUSY',
  'python-not-offered': 'BAD_REQUEST',
  'bad-request': 'BAD_REQUEST',
  'file-too-large': 'TOO_LARGE',
  'file-missing': 'BAD_REQUEST',
  'size-mismatch': 'BAD_REQUEST',
  'bad-submission': 'BAD_REQUEST',
  'too-large': 'TOO_LARGE',
  'blob-missing': 'BAD_REQUEST',
  'blob-corrupt': 'BAD_REQUEST',
  unreachable: 'BUSY',
  timeout: 'BUSY',
}
const retryAfterMs = 5_000
/** Somebody has to make room first. */
const diskRetryMs = 30_000

/** How often each command was refused, by `COMMAND CODE`. */
export interface Refusals {
  counts(): Record<string, number>
  /** Counts, logs and translates an error; what is not meant for the other side becomes `INTERNAL`. */
  note(command: string, peer: string, error: unknown): CommandError
}

export function createRefusals(log: Logger): Refusals {
  const counts = new Map<string, number>()
  return {
    counts: () => Object.fromEntries(counts),
    note(command, peer, error) {
      const refusal = toCommandError(error)
      const key = `${command} ${refusal.code}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      const context = { command, peer, code: refusal.code, error: messageOf(error) }
      if (refusal.code === 'INTERNAL' || diskTrouble(error)) log.error('command failed', context)
      else log.info('command refused', context)
      return refusal
    },
  }
}

function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error
  if (diskTrouble(error))
    return new CommandError('BUSY', 'the disk of the coordinator takes nothing more', {
      retryAfterMs: diskRetryMs,
      cause: error,
    })
  const code = error instanceof PytiError ? codes[error.code] : undefined
  if (code === undefined)
    return new CommandError('INTERNAL', 'the coordinator could not do this', { cause: error })
  const message = messageOf(error).slice(0, 1_000)
  return new CommandError(code, message, code === 'BUSY' ? { retryAfterMs, cause: error } : { cause: error })
}
