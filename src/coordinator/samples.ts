import { putBytes } from '../store/blob-bytes.ts'
import type { BlobStore } from '../store/store.ts'
import type { Profile, Subject } from '../wire/job.ts'
import type { Truth } from '../wire/truth.ts'
import { profileFor } from './config.ts'
import { jobFor, type Random } from './new-job.ts'
import { newRecord } from './new-record.ts'
import type { SubmitOptions } from './submit.ts'

/** Makes a bundled sample that runs in this network, under a name drawn for it. */
export type SampleMaker = (network: Profile['network'], random: Random) => Promise<SampleFile>

/** A distribution and what must come out of it. */
export interface SampleFile extends Omit<Subject, 'size'> {
  bytes: Uint8Array
  truth: Truth
}

export interface SampleOptions extends SubmitOptions {
  makeSample: SampleMaker
  blobs: BlobStore
}

/**
 * Makes a job of a bundled sample, in the form of one whose author tries a file before the upload, so that volunteers cannot tell
 * it from those. What comes out is known; it is repeated like other known answers, and nothing of it is published.
 */
export async function addSample(options: SampleOptions): Promise<void> {
  const { makeSample, blobs, jobs, clock, random, config } = options
  const profile = profileFor(config)
  const { bytes, project, version, filename, kind, truth } = await makeSample(profile.network, random)
  const sha256 = await putBytes(blobs, bytes)
  const subject = { project, version, filename, kind, sha256, size: bytes.length }
  const now = clock.now()
  const job = jobFor({ subject, origin: 'coordinator', tasks: config.followTasks }, profile, now, random)
  await jobs.add([await newRecord(job, now, options, { sample: truth })])
}
