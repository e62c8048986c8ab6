import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type LogSource, logFileBytes } from '../attest/audit/source.ts'
import { messageOf, PytiError } from '../errors.ts'

const answerMs = 30_000
/** Bundles of entries are asked for again and again. */
const keptFiles = 64

/**
 * The files of a log in a folder or below an http(s) URL. Paths come from numbers and digests only. What is larger than any file
 * of a log, or takes too long, is refused.
 */
export function openLogSource(where: string): LogSource {
  const isUrl = /^https?:\/\//.test(where)
  const fetchFile = isUrl ? (path: string) => fetchOver(where, path) : (path: string) => readFrom(where, path)
  const kept = new Map<string, Uint8Array>()
  return {
    async fetch(path) {
      const known = kept.get(path)
      if (known) return known
      const bytes = await fetchFile(path)
      if (bytes && path.startsWith('tile/entries/')) {
        if (kept.size >= keptFiles) for (const oldest of [...kept.keys()].slice(0, 1)) kept.delete(oldest)
        kept.set(path, bytes)
      }
      return bytes
    },
  }
}

async function readFrom(dir: string, path: string): Promise<Uint8Array | undefined> {
  const file = join(dir, path)
  const info = await stat(file).catch(error => {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined
    throw error
  })
  if (!info?.isFile()) return undefined
  if (info.size > logFileBytes) throw tooLarge(path)
  return readFile(file)
}

async function fetchOver(base: string, path: string): Promise<Uint8Array | undefined> {
  const url = `${base.replace(/\/+$/, '')}/${path}`
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerMs) })
    if (response.status === 404) {
      await response.body?.cancel()
      return undefined
    }
    if (!response.ok) throw new Error(`HTTP status ${response.status}`)
    return await readLimited(response, path)
  } catch (cause) {
    if (cause instanceof PytiError) throw cause
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    throw new PytiError('log-unreachable', `no usable answer from ${url}: ${messageOf(reason)}`, {
      hint: 'try again later, or get a copy of the log and give its folder',
      cause,
    })
  }
}

async function readLimited({ body }: Response, path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > logFileBytes) throw tooLarge(path)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(path: string): PytiError {
  return new PytiError('bad-log-file', `${path} is larger than a file of a log can be`)
}
