import { messageOf, PytiError } from '../errors.ts'
import { type Fetch, unreachable } from './http.ts'
import { splitCredentials } from './redact.ts'

export interface FeedHttp {
  /**
   * Asks for an XML document beside the simple index: `/pypi` or `/rss/updates.xml`; POST when there is a body. One
   * attempt: the feed is polled again anyway.
   * @throws PytiError `feed-absent` | `index-unreachable` | `bad-feed`, or the signal's reason
   */
  xml(path: string, signal: AbortSignal, body?: string): Promise<string>
}

export interface FeedHttpOptions {
  fetch: Fetch
  indexUrl: string
  timeoutMs: number
  answerBytes: number
}

const absentStatus = [401, 403, 404, 405, 410, 501]

export function createFeedHttp({ fetch, indexUrl, timeoutMs, answerBytes }: FeedHttpOptions): FeedHttp {
  const { url: simple, authorization } = splitCredentials(indexUrl)
  const base = /^(.*)\/simple\/?$/.exec(simple)?.[1]

  return {
    async xml(path, signal, body) {
      if (base === undefined) throw absent('the index URL does not end in /simple')
      const url = base + path
      const timeout = AbortSignal.timeout(timeoutMs)
      try {
        const response = await fetch(url, {
          method: body === undefined ? 'GET' : 'POST',
          headers: {
            accept: 'text/xml, application/xml, application/rss+xml',
            ...(body === undefined ? {} : { 'content-type': 'text/xml' }),
            ...(authorization === undefined ? {} : { authorization }),
          },
          ...(body === undefined ? {} : { body }),
          redirect: 'follow',
          signal: AbortSignal.any([signal, timeout]),
        })
        try {
          if (absentStatus.includes(response.status))
            throw absent(`${path} has HTTP status ${response.status}`)
          if (response.status !== 200) throw unreachable(url, new Error(`HTTP status ${response.status}`))
          const type = response.headers.get('content-type') ?? ''
          if (!/xml/i.test(type)) throw absent(`${path} is ${JSON.stringify(type.slice(0, 100))}, not XML`)
          return await readText(response, answerBytes)
        } finally {
          if (!response.bodyUsed) await response.body?.cancel()
        }
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof PytiError) throw error
        throw unreachable(url, timeout.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error)
      }
    },
  }
}

async function readText(response: Response, answerBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > answerBytes) throw badFeed(`answer is larger than ${answerBytes} bytes`)
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw badFeed('answer is not UTF-8', cause)
  }
}

export function absent(message: string): PytiError {
  return new PytiError('feed-absent', message)
}

export function badFeed(message: string, cause?: unknown): PytiError {
  return new PytiError(
    'bad-feed',
    cause === undefined ? message : `${message}: ${messageOf(cause).slice(0, 500)}`,
    {
      hint: 'nothing was lost, it will be asked again; does the index speak the protocols of PyPI?',
      cause,
    },
  )
}
