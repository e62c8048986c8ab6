import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCheckpoint } from '../attest/log/checkpoint.ts'
import { formatVkey, type Vkey } from '../attest/log/note.ts'
import { PytiError } from '../errors.ts'
import { sha256 } from '../wire/canonical.ts'

/** The newest checkpoint of each log that was audited here, so that the next audit sees whether the log continues it. */
export interface SeenHeads {
  get(log: Vkey): Promise<string | undefined>
  /** Keeps a checkpoint unless a larger one is kept already. */
  keep(log: Vkey, note: string): Promise<void>
}

export function openSeenHeads(dir: string): SeenHeads {
  const fileOf = ({ name, publicKey }: Vkey) =>
    join(dir, `${sha256(formatVkey(name, 1, publicKey))}.checkpoint`)
  const get = async (log: Vkey): Promise<string | undefined> => {
    try {
      return await readFile(fileOf(log), 'utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  }
  return {
    get,
    async keep(log, note) {
      const before = await get(log)
      const sizeOf = async (text: string) => (await openCheckpoint(text, log)).checkpoint.size
      if (before !== undefined && (await sizeOf(before)) >= (await sizeOf(note))) return
      const file = fileOf(log)
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      await writeFile(`${file}.${process.pid}.part`, note)
      await rename(`${file}.${process.pid}.part`, file)
    },
  }
}

const noteBytes = 100_000

/**
 * A checkpoint in a file, unchecked but for its size.
 * @throws PytiError `file-not-found` | `usage`
 */
export async function readNote(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) throw new PytiError('file-not-found', `there is no checkpoint ${path}`)
  if (info.size > noteBytes) throw new PytiError('usage', `${path} is larger than a checkpoint can be`)
  return readFile(path, 'utf8')
}
