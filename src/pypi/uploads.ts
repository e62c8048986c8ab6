import { isCode, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { createChangelogFeed } from './changelog-feed.ts'
import { createFeedHttp } from './feed-http.ts'
import type { Fetch } from './http.ts'
import type { IndexClient } from './index-client.ts'
import { redactUrl } from './redact.ts'
import { createReleaseFeed } from './release-feed.ts'

export { type SubjectsFor, subjectsFor } from './upload-subjects.ts'

/** One new file on the index. */
export interface Upload {
  /** Normalised (PEP 503). */
  project: string
  filename: string
  /** As the index names it. */
  version?: string
  /** The event's serial; a project page with a lower one does not show the file yet. */
  serial?: number
}

export interface UploadBatch {
  /** To be stored and passed to the next poll. */
  cursor: string
  uploads: Upload[]
  /** `partial`: files can be missed, as the index has no changelog. */
  coverage: 'full' | 'partial'
}

/** Port: what is new on an index. */
export interface UploadFeed {
  /**
   * Everything since the cursor, nothing twice; without a cursor, begins now and gives no uploads. An error leaves the
   * cursor as it was: poll again with the same one.
   * @throws PytiError `index-unreachable` | `bad-feed` | `bad-cursor` | `no-upload-feed`, or the signal's reason
   */
  poll(cursor: string | undefined, signal: AbortSignal): Promise<UploadBatch>
}

export interface UploadFeedOptions {
  index: IndexClient
  log: Logger
  fetch?: Fetch
  /** Longest time for one request, in milliseconds. */
  timeoutMs?: number
  /** Largest answer, in bytes. */
  answerBytes?: number
}

const MiB = 1024 * 1024

/**
 * Follows an index by its changelog (XML-RPC) and, where it has none, by its RSS feeds and project pages. A cursor of
 * the RSS feeds stays with them: forget it to try the changelog again.
 */
export function createUploadFeed(options: UploadFeedOptions): UploadFeed {
  const { index, log, timeoutMs = 60_000, answerBytes = 64 * MiB } = options
  const http = createFeedHttp({
    fetch: options.fetch ?? globalThis.fetch,
    indexUrl: index.url,
    timeoutMs,
    answerBytes,
  })
  const changelog = createChangelogFeed({ http, log })
  const releases = createReleaseFeed({ http, index, log })
  return {
    async poll(cursor, signal) {
      try {
        if (cursor?.startsWith('rss:')) return await releases.poll(cursor, signal)
        return await changelog.poll(cursor, signal)
      } catch (error) {
        if (!isCode(error, 'feed-absent')) throw error
        if (cursor?.startsWith('rss:')) throw noFeed(index.url, error)
        log.warn('index has no changelog, following its RSS feeds: coverage is partial', {
          index: redactUrl(index.url),
          reason: error.message,
        })
      }
      try {
        return await releases.poll(undefined, signal)
      } catch (error) {
        throw isCode(error, 'feed-absent') ? noFeed(index.url, error) : error
      }
    },
  }
}

function noFeed(url: string, cause: PytiError): PytiError {
  return new PytiError('no-upload-feed', `${redactUrl(url)} tells of no uploads: ${cause.message}`, {
    hint: 'name an index with a changelog or RSS, or hand in files one by one',
    cause,
  })
}
