import type { Clock } from '../clock.ts'
import { messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { redactUrl, splitCredentials } from './redact.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface HttpOptions {
  fetch?: Fetch
  clock: Clock
  log: Logger
  /** Credentials in this URL go to its own origin and to no other. */
  indexUrl: string
  /** Longest silence, in milliseconds, before a request counts as failed. */
  silenceMs?: number
}

export interface Http {
  /**
   * GET with three retries on broken connections, timeouts, 429 and 5xx. `read` is part of the attempt: it calls
   * `alive` whenever bytes arrive. Any other status is handed to `read`.
   * @throws PytiError `index-unreachable`, whatever `read` throws as PytiError, or the signal's reason
   */
  get<T>(
    url: string,
    headers: Record<string, string>,
    read: (response: Response, alive: () => void) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>
  /** `Content-Length` of what is there, by HEAD; `undefined` when the server does not tell. Retries as `get`. */
  size(url: string, signal?: AbortSignal): Promise<number | undefined>
}

const attempts = 4
const firstDelayMs = 500

export function createHttp(options: HttpOptions): Http {
  const { clock, log, silenceMs = 60_000 } = options
  const fetch: Fetch = options.fetch ?? globalThis.fetch
  const index = splitCredentials(options.indexUrl)
  const indexOrigin = new URL(index.url).origin

  async function attempt<T>(
    method: 'GET' | 'HEAD',
    url: string,
    headers: Record<string, string>,
    read: (response: Response, alive: () => void) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const watch = watchSilence(silenceMs)
    const both = signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal])
    const secret: Record<string, string> =
      index.authorization !== undefined && new URL(url).origin === indexOrigin
        ? { authorization: index.authorization }
        : {}
    try {
      const response = await fetch(url, {
        method,
        headers: { ...headers, ...secret },
        signal: both,
        redirect: 'follow',
      })
      try {
        // Redirects were followed: they may not lead down to http either.
        if (response.url !== '') assertHttpUrl(response.url, index.url)
        if (response.status >= 500 || response.status === 429)
          throw new Error(`HTTP status ${response.status}`)
        return await read(response, watch.alive)
      } finally {
        if (!response.bodyUsed) await response.body?.cancel()
      }
    } finally {
      watch.stop()
    }
  }

  async function request<T>(
    method: 'GET' | 'HEAD',
    url: string,
    headers: Record<string, string>,
    read: (response: Response, alive: () => void) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    assertHttpUrl(url, index.url)
    for (let tried = 1; ; tried++) {
      signal?.throwIfAborted()
      try {
        return await attempt(method, url, headers, read, signal)
      } catch (cause) {
        signal?.throwIfAborted()
        if (cause instanceof PytiError) throw cause
        if (tried === attempts) throw unreachable(url, cause)
        const delayMs = firstDelayMs * 4 ** (tried - 1)
        log.warn('request failed, trying again', { url: redactUrl(url), delayMs, error: rootMessage(cause) })
        await clock.sleep(delayMs, signal)
      }
    }
  }

  return {
    get: (url, headers, read, signal) => request('GET', url, headers, read, signal),
    size: (url, signal) =>
      request(
        'HEAD',
        url,
        {},
        async response => {
          const length = response.headers.get('content-length')
          return response.ok && length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined
        },
        signal,
      ),
  }
}

export function unreachable(url: string, cause: unknown): PytiError {
  return new PytiError(
    'index-unreachable',
    `no usable answer from ${redactUrl(url)}: ${rootMessage(cause)}`,
    {
      hint: 'check the network, or name another index with --index URL or PIP_INDEX_URL',
      details: { url: redactUrl(url) },
      cause,
    },
  )
}

/** An index decides where its files are: it may not point us at `file:`, nor from https down to http. */
function assertHttpUrl(url: string, indexUrl: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'https:' || (protocol === 'http:' && indexUrl.startsWith('http:'))) return
  throw unreachable(url, new Error('only https is followed (http when the index itself is http)'))
}

/** A real timer, not the clock's: it watches a real socket, also where a test's clock leaps ahead. */
function watchSilence(ms: number): { signal: AbortSignal; alive(): void; stop(): void } {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(new Error(`no bytes for ${ms} ms`)), ms)
  return { signal: silence.signal, alive: () => timer.refresh(), stop: () => clearTimeout(timer) }
}

/** fetch hides what went wrong (ECONNREFUSED, certificate) in the cause of its TypeError. */
function rootMessage(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return messageOf(cause) || 'connection failed'
}
