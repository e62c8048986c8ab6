import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { PytiError } from '../errors.ts'
import { diskTrouble } from '../host-disk.ts'
import { redactUrl } from './redact.ts'

export interface WantedFile {
  sha256: string
  /** Checked when given. */
  size?: number
  filename: string
}

export interface DownloadRequest extends WantedFile {
  url: string
}

/**
 * Writes a response's body to a file that must turn out to have the digest asked for.
 * @throws PytiError `file-missing` | `index-unreachable`, and as `saveBytes`; a plain Error when the connection broke, so that it
 * is tried again
 */
export async function saveBody(
  response: Response,
  path: string,
  request: DownloadRequest,
  maxBytes: number,
  onBytes: (total: number) => void,
): Promise<void> {
  const { filename, url } = request
  if (response.status === 404 || response.status === 410)
    throw new PytiError('file-missing', `${filename} is gone from ${redactUrl(url)}`, {
      hint: 'it was deleted or quarantined, or a mirror is behind: try again later',
    })
  if (response.status !== 200)
    throw new PytiError('index-unreachable', `${redactUrl(url)} answered with HTTP status ${response.status}`)
  const length = Number(response.headers.get('content-length') ?? Number.NaN)
  const encoded = response.headers.get('content-encoding') !== null
  let total = 0
  const body = async function* () {
    for await (const chunk of response.body ?? []) {
      total += chunk.length
      yield chunk
      onBytes(total)
    }
    if (!encoded && total < length) throw new Error(`connection ended after ${total} of ${length} bytes`)
  }
  await saveBytes(body(), path, request, maxBytes)
}

/**
 * Writes to a file what must turn out to have the digest asked for.
 * @throws PytiError `too-large` | `hash-mismatch` | `host-out-of-disk` | `host-disk-unusable`; what the source throws
 */
export async function saveBytes(
  source: AsyncIterable<Uint8Array>,
  path: string,
  wanted: WantedFile,
  maxBytes: number,
): Promise<void> {
  const ceiling = wanted.size ?? maxBytes
  const hash = createHash('sha256')
  let total = 0
  const file = await toDisk(open(path, 'w', 0o644))
  try {
    for await (const chunk of source) {
      total += chunk.length
      if (total > ceiling) throw tooLarge(wanted, ceiling)
      hash.update(chunk)
      await toDisk(file.writeFile(chunk))
    }
    await toDisk(file.sync())
  } finally {
    await file.close()
  }
  const digest = hash.digest('hex')
  if (digest !== wanted.sha256)
    throw new PytiError('hash-mismatch', `${wanted.filename} has SHA-256 ${digest}, not ${wanted.sha256}`, {
      hint: 'the index or something on the way to it serves another file under this name',
      details: { expected: wanted.sha256, actual: digest },
    })
}

/** Told as what it is, or it would be taken for trouble of the connection and tried again. */
async function toDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw diskTrouble(cause) ?? cause
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** Whether this machine failed, and not the file: the answer of a system call. */
export function isHostTrouble(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

export function tooLarge({ filename, size }: WantedFile, ceiling: number): PytiError {
  return new PytiError('too-large', `${filename} is larger than ${ceiling} bytes`, {
    details: { ceiling, ...(size === undefined ? {} : { size }) },
  })
}
