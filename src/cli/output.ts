import { PytiError } from '../errors.ts'
import { diskTrouble } from '../host-disk.ts'

/** What a command's exit status means, the same everywhere. */
export const exitCodes = {
  ok: 0,
  /** The command worked; its answer is no: no report, a failed check. */
  negative: 1,
  /** Bad usage or bad input. */
  usage: 2,
  /** This machine lacks something. */
  machine: 3,
  interrupted: 130,
} as const

const usageCodes = new Set([
  'usage',
  'project-not-found',
  'version-not-found',
  'bad-filename',
  'file-not-found',
  'bad-address',
  'wrong-peer',
  'no-distribution',
  'empty-file',
  'identity-exposed',
  'identity-malformed',
  'bad-witness',
  'witness-renamed',
])
const machineCodes = new Set([
  'vm-unavailable',
  'program-missing',
  'image-missing',
  'image-corrupt',
  'no-debian-mirror',
  'store-locked',
  'host-out-of-disk',
  'host-disk-unusable',
  'image-drift',
  'image-incomplete',
  'image-too-large',
  'image-unreachable',
  'root-not-kept',
])

/** Prints an error with what to do next. @returns the exit code */
export function reportError(thrown: unknown, verbose = false): number {
  const error = diskTrouble(thrown) ?? thrown
  if (!(error instanceof PytiError)) {
    process.stderr.write(`error: ${error instanceof Error ? error.stack : String(error)}\n`)
    return exitCodes.negative
  }
  if (error.code === 'shutdown') return exitCodes.interrupted
  process.stderr.write(`error: ${error.message}\n`)
  if (error.hint) process.stderr.write(`  -> ${error.hint}\n`)
  if (verbose && error.cause instanceof Error) process.stderr.write(`${error.cause.stack}\n`)
  if (usageCodes.has(error.code)) return exitCodes.usage
  return machineCodes.has(error.code) ? exitCodes.machine : exitCodes.negative
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Progress goes to standard error, so that standard output holds the answer only. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

export const useColor = (): boolean => process.stdout.isTTY === true && process.env.NO_COLOR === undefined
