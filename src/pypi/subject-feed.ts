import { z } from 'zod'
import type { Logger } from '../logger.ts'
import type { Subject } from '../wire/job.ts'
import type { IndexClient } from './index-client.ts'
import { subjectsFor } from './upload-subjects.ts'
import type { Upload, UploadFeed } from './uploads.ts'

const PendingUpload = z.object({
  project: z.string(),
  filename: z.string(),
  version: z.string().optional(),
  serial: z.int().optional(),
})
/** Cursor of the feed below, and the uploads whose project page did not show them yet. */
const Cursor = z.object({ feed: z.string(), pending: z.array(PendingUpload) })

/** Uploads a project page may keep back (CDN caches, package-testing.md section 7) before the oldest are given up. */
const maxPending = 500

/**
 * Uploads as job subjects: each is looked up on its project's page for digest and size. What a stale page does not show
 * yet travels in the cursor and is asked for again at the next poll.
 */
export function createSubjectFeed(feed: UploadFeed, index: IndexClient, log: Logger) {
  return {
    async poll(
      cursor: string | undefined,
      signal: AbortSignal,
    ): Promise<{ cursor: string; uploads: Subject[] }> {
      const before = cursor === undefined ? undefined : Cursor.parse(JSON.parse(cursor))
      const batch = await feed.poll(before?.feed, signal)
      const wanted: Upload[] = [...(before?.pending ?? []), ...batch.uploads].map(
        ({ version, serial, ...upload }) => ({
          ...upload,
          ...(version !== undefined && { version }),
          ...(serial !== undefined && { serial }),
        }),
      )
      const { subjects, pending, refused } = await subjectsFor(wanted, index, { signal })
      for (const { upload, reason } of refused)
        log.warn('upload left out', { filename: upload.filename, reason })
      if (pending.length > maxPending)
        log.warn('uploads given up: their project pages never showed them', {
          uploads: pending.length - maxPending,
        })
      return {
        cursor: JSON.stringify({ feed: batch.cursor, pending: pending.slice(-maxPending) }),
        uploads: subjects,
      }
    },
  }
}
