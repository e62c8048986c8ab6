import { PytiError } from '../errors.ts'

/** The log is not what was signed before: going on would make two histories. */
export function forked(what: string, cause?: unknown): PytiError {
  return new PytiError('log-forked', `the log would fork: ${what}`, {
    hint: 'nothing more is signed; compare the store and the log folder with their copies, or begin a log of another name',
    cause,
  })
}

/** What was signed is more than what is here, as with a restored backup. */
export function rolledBack(what: string, size: number): PytiError {
  return new PytiError(
    'log-rolled-back',
    `the log was rolled back: ${what}, the store has ${Math.max(size, 0)}`,
    {
      hint: 'an older copy of the store seems to be in use: put the newest one back, or begin a log of another name',
      details: { size },
    },
  )
}

export function isContradiction(error: unknown): error is PytiError {
  return error instanceof PytiError && (error.code === 'log-forked' || error.code === 'log-rolled-back')
}
