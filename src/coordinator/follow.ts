import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { Subject } from '../wire/job.ts'
import { type CoordinatorConfig, profileFor } from './config.ts'
import type { Jobs } from './jobs.ts'
import { jobFor } from './new-job.ts'
import { type NewRecordOptions, newRecord } from './new-record.ts'
import type { Room } from './room.ts'
import { isOpen, type JobRecord } from './state.ts'

/** New files on an index, in the order of a cursor that only the feed can read. */
export interface UploadFeed {
  /** @param cursor where the last poll has arrived; `undefined` at the very first one */
  poll(cursor: string | undefined, signal: AbortSignal): Promise<{ cursor: string; uploads: unknown[] }>
}

const Poll = z.object({ cursor: z.string().max(10_000), uploads: z.array(z.unknown()).max(100_000) })

export interface FollowOptions extends NewRecordOptions {
  feed: UploadFeed
  jobs: Jobs
  clock: Clock
  log: Logger
  config: CoordinatorConfig
  room: Room
}

const cursorName = 'uploads'

/** Turns uploads into jobs until the signal fires. Errors are logged and waited out, never thrown. */
export async function followUploads(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const { clock, config, log, room } = options
  let failures = 0
  while (!signal.aborted) {
    try {
      if ((await room.isThere()) && waitingJobs(options.jobs) < config.maxQueued)
        await pollOnce(options, signal)
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      log.warn('looking for uploads failed', { failures, error: messageOf(error) })
    }
    const pause = Math.min(config.pollBackoffMs, config.pollMs * 2 ** Math.min(failures, 20))
    await clock.sleep(failures > 0 ? pause : config.pollMs, signal).catch(() => undefined)
  }
}

/** One look at the index: its new files become jobs in the same batch that moves the cursor. */
async function pollOnce(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const { feed, jobs, records, clock, log, config } = options
  const before = (await records.cursors.get(cursorName))?.cursor
  const timeout = new AbortController()
  const either = AbortSignal.any([signal, timeout.signal])
  const limit = clock.sleep(config.pollTimeoutMs, either).then(
    () => timeout.abort(new Error(`no answer from the index for ${config.pollTimeoutMs} ms`)),
    () => undefined,
  )
  const { cursor, uploads } = Poll.parse(
    await abortable(feed.poll(before, either), either).finally(() => {
      timeout.abort()
      return limit
    }),
  )
  if (signal.aborted) return
  const added = await newRecords(uploads, options)
  if (cursor === before && added.length === 0) return
  await jobs.add(added, { writes: [records.cursors.put(cursorName, { cursor })] })
  if (added.length > 0) log.info('uploads became jobs', { uploads: uploads.length, jobs: added.length })
}

/** Uploads that never had a job, each file once. */
async function newRecords(uploads: unknown[], options: FollowOptions): Promise<JobRecord[]> {
  const { records, clock, random, config, log } = options
  const seen = new Set<string>()
  const added: JobRecord[] = []
  for (const upload of uploads) {
    const subject = Subject.safeParse(upload)
    if (!subject.success) {
      log.warn('skipped an upload that cannot be read', { error: z.prettifyError(subject.error) })
      continue
    }
    const { sha256 } = subject.data
    if (seen.has(sha256) || (await hasJob(records, sha256))) continue
    seen.add(sha256)
    const now = clock.now()
    const request = { subject: subject.data, origin: 'index', tasks: config.followTasks } as const
    const job = jobFor(request, profileFor(config), now, random)
    added.push(await newRecord(job, now, options))
  }
  return added
}

async function hasJob(records: FollowOptions['records'], sha256: string): Promise<boolean> {
  for await (const _ of records.jobsByFile.entries({ under: `${sha256}/`, limit: 1 })) return true
  return false
}

function waitingJobs(jobs: Jobs): number {
  let waiting = 0
  for (const job of jobs.unfinished()) if (isOpen(job) && job.wanted > 0) waiting += 1
  return waiting
}

/** A feed that ignores its signal must not hold up a stop. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
