import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { messageOf, PytiError } from '../errors.ts'
import { redactUrl } from './redact.ts'

export interface DownloadRequest {
  url: string
  sha256: string
  /** Checked when given. */
  size?: number
  filename: string
}

/**
 * Writes a response's body to a file that must turn out to have the digest asked for.
 * @throws PytiError `file-missing` | `index-unreachable` | `too-large` | `hash-mismatch` | `disk-full`; a plain Error
 * when the connection broke, so that it is tried again
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
  const ceiling = request.size ?? maxBytes
  const hash = createHash('sha256')
  let total = 0
  const file = await open(path, 'w', 0o644)
  try {
    for await (const chunk of response.body ?? []) {
      total += chunk.length
      if (total > ceiling) throw tooLarge(request, ceiling)
      hash.update(chunk)
      await file.writeFile(chunk).catch(cause => {
        throw asDiskFull(cause, path)
      })
      onBytes(total)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  const length = Number(response.headers.get('content-length') ?? Number.NaN)
  const encoded = response.headers.get('content-encoding') !== null
  if (!encoded && total < length) throw new Error(`connection ended after ${total} of ${length} bytes`)
  const digest = hash.digest('hex')
  if (digest !== request.sha256)
    throw new PytiError('hash-mismatch', `${filename} has SHA-256 ${digest}, not ${request.sha256}`, {
      hint: 'the index or something on the way to it serves another file under this name',
      details: { expected: request.sha256, actual: digest, url: redactUrl(url) },
    })
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** Whether this machine failed, and not the file: the answer of a system call. */
export function isHostTrouble(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

export function tooLarge({ filename, size }: DownloadRequest, ceiling: number): PytiError {
  return new PytiError('too-large', `${filename} is larger than ${ceiling} bytes`, {
    details: { ceiling, ...(size === undefined ? {} : { size }) },
  })
}

/** @returns PytiError `disk-full` when that is what happened, else the cause itself */
export function asDiskFull(cause: unknown, path: string): unknown {
  if (!hasCode(cause, 'ENOSPC', 'EDQUOT')) return cause
  return new PytiError('disk-full', `no space left to write ${path}: ${messageOf(cause)}`, {
    hint: 'free some space, or move the cache to another disk',
    cause,
  })
}
