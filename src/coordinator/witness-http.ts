import { messageOf, PytiError } from '../errors.ts'

const maxReply = 64 * 1_024

/**
 * Posts a checkpoint to a witness (C2SP tlog-witness). Follows no redirect, reads a small answer only.
 * @throws PytiError `witness-unreachable` | `witness-answer`; the signal's reason
 */
export async function postCheckpoint(
  url: string,
  body: string,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  try {
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    const response = await fetch(url, { method: 'POST', body, headers, signal, redirect: 'error' })
    return { status: response.status, body: await textOf(response) }
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (cause instanceof PytiError) throw cause
    throw new PytiError('witness-unreachable', `${url} could not be asked: ${reasonOf(cause)}`, { cause })
  }
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxReply) throw new PytiError('witness-answer', `its answer is over ${maxReply} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** fetch says "fetch failed"; the reason is below. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error)
}
