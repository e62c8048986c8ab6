import type { Clock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import type { BlobStore } from '../store/store.ts'
import { digestOf } from '../wire/canonical.ts'
import type { Job, Subject } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import { type CoordinatorConfig, profileFor } from './config.ts'
import type { Jobs } from './jobs.ts'
import { type JobRequest, jobFor } from './new-job.ts'
import { type NewRecordOptions, newRecord } from './new-record.ts'
import { isOpen } from './state.ts'

export interface SubmitOptions extends NewRecordOptions {
  jobs: Jobs
  clock: Clock
  config: CoordinatorConfig
}

/**
 * Makes a job, or finds the open one that asks for the same: a client that lost the reply asks again, and nothing is
 * gained by doing the same work twice at the same time. Calls must not overlap.
 * @returns the job's id
 * @throws PytiError `python-not-offered` | `too-many-jobs`
 */
export async function submitJob(request: JobRequest, options: SubmitOptions): Promise<string> {
  const { jobs, clock, random, config } = options
  const now = clock.now()
  const job = jobFor(request, profileFor(config, request.python), now, random)
  const same = findSame(job, jobs)
  if (same !== undefined) return same
  if (jobs.unfinishedCount() >= config.maxJobs)
    throw new PytiError('too-many-jobs', `${config.maxJobs} jobs are unfinished`, {
      hint: 'try again when some of them have ended',
    })
  const record = await newRecord(job, now, options)
  await jobs.add([record])
  return record.id
}

function findSame(job: Job, jobs: Jobs): string | undefined {
  const wanted = essence(job)
  // Those that check volunteers get no report.
  for (const record of jobs.unfinished())
    if (isOpen(record) && !record.known && !record.sample && essence(record.job) === wanted) return record.id
  return undefined
}

/** A job without what is drawn anew each time. */
function essence({ subject, origin, tasks, profile }: Job): string {
  const { backend } = profile
  return digestOf({ subject, origin, tasks, profile: { ...profile, backend, hashSeed: 0 } })
}

/**
 * Makes sure that the file of a job whose origin is the coordinator is in the blob store.
 * @param pull brings it there when it is not
 * @throws PytiError `file-too-large` | `file-missing` | `size-mismatch`
 */
export async function bringFile(
  { sha256, size }: Subject,
  blobs: BlobStore,
  pull?: () => Promise<void>,
): Promise<void> {
  if (size > limits.distributionBytes)
    throw new PytiError(
      'file-too-large',
      `the file has ${size} bytes, at most ${limits.distributionBytes} are taken`,
    )
  if ((await blobs.size(sha256)) === undefined) await pull?.()
  const found = await blobs.size(sha256)
  if (found === undefined) throw new PytiError('file-missing', `the file ${sha256} is not here`)
  if (found !== size) throw new PytiError('size-mismatch', `the file has ${found} bytes, not ${size}`)
}
