import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, PytiError } from './errors.ts'

type DiskCode = 'host-out-of-disk' | 'host-disk-unusable'

const codes: Partial<Record<string, DiskCode>> = {
  ENOSPC: 'host-out-of-disk',
  EDQUOT: 'host-out-of-disk',
  EROFS: 'host-disk-unusable',
}
/** They are said of other things too, such as a socket or a program; and an error of ours that one has caused says more. */
const refusals = ['EACCES', 'EPERM']
const writes = ['open', 'mkdir', 'mkdtemp', 'rename', 'link', 'unlink', 'copyfile', 'utime', 'ftruncate']

const hints: Record<DiskCode, string> = {
  'host-out-of-disk': 'free some space, or use a larger disk: PYTI_HOME and --data name the folders',
  'host-disk-unusable':
    'let this user read and write there, or use another folder: PYTI_HOME and --data name them',
}

/** As programs end a line that says why they could not write. Elsewhere in a line it may be somebody's name for something. */
const said: [RegExp, DiskCode][] = [
  [
    /(?:: |because |\()(?:No space left on device|Disk quota exceeded)\)?(?: \(os error \d+\))?$/m,
    'host-out-of-disk',
  ],
  [/^E: You don't have enough free space in /m, 'host-out-of-disk'],
  [/(?:: |because |\()Read-only file system\)?(?: \(os error \d+\))?$/m, 'host-disk-unusable'],
]

/**
 * Whether what went wrong is that this machine's disk takes nothing more, wherever among the causes of the error that is said.
 * @returns PytiError `host-out-of-disk` | `host-disk-unusable`; undefined for anything else
 */
export function diskTrouble(error: unknown): PytiError<DiskCode> | undefined {
  // Bounded, as an error may be its own cause.
  for (let cause = error, depth = 0; cause instanceof Error && depth < 10; cause = cause.cause, depth++) {
    if (isDiskTrouble(cause)) return cause
    const code =
      codes[codeOf(cause)] ?? (cause === error && isRefused(cause) ? 'host-disk-unusable' : undefined)
    if (code) return trouble(code, messageOf(cause), error)
  }
  return undefined
}

/** The same, told by a program. @param text what it printed, which must come from the program and nobody else */
export function diskTroubleIn(text: string, cause?: unknown): PytiError<DiskCode> | undefined {
  const [, code] = said.find(([words]) => words.test(text)) ?? []
  return code && trouble(code, text.trim().split('\n').slice(-3).join(' | ').slice(-500), cause)
}

/** Room that is wanted before new work begins, and that is enough to end what is under way. */
export const leastFreeBytes = 1024 * 1024 * 1024

/** What there may be said against writing to a folder; see `lackOfRoom`. */
export type RoomCheck = () => Promise<PytiError | undefined>

/**
 * Why nothing new should be begun that needs room in these folders: one has less than `leastBytes` left, or cannot be written to.
 */
export async function lackOfRoom(
  folders: readonly string[],
  leastBytes: number,
): Promise<PytiError<DiskCode> | undefined> {
  for (const folder of folders) {
    const probe = join(folder, '.room')
    try {
      const { bavail, bsize } = await statfs(folder)
      if (bavail * bsize < leastBytes)
        return trouble(
          'host-out-of-disk',
          `${folder} has ${bavail * bsize} bytes left, ${leastBytes} are wanted`,
        )
      // A quota, or a file system without a place for another file, shows only now.
      await writeFile(probe, Buffer.alloc(65_536))
    } catch (error) {
      return diskTrouble(error) ?? trouble('host-disk-unusable', messageOf(error), error)
    } finally {
      await rm(probe, { force: true }).catch(() => {})
    }
  }
  return undefined
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')

function isRefused(error: Error): boolean {
  const { path, syscall = '' } = error as NodeJS.ErrnoException
  return refusals.includes(codeOf(error)) && writes.includes(syscall) && path !== undefined
}

function isDiskTrouble(error: Error): error is PytiError<DiskCode> {
  return error instanceof PytiError && Object.hasOwn(hints, error.code)
}

function trouble(code: DiskCode, detail: string, cause?: unknown): PytiError<DiskCode> {
  const what = code === 'host-out-of-disk' ? 'no space left on the disk' : 'the disk cannot be used'
  return new PytiError(code, `${what}: ${detail}`, { hint: hints[code], cause })
}
