import { rawDataObservation } from '../attest/raw-statement.ts'
import { demandSameJob, rawDataOf, readTestimony, type Testimony } from '../attest/testimony.ts'
import { PytiError } from '../errors.ts'
import type { BlobRef } from '../net/network.ts'
import type { Envelope } from '../wire/envelope.ts'
import type { Job } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import type { RawData } from '../wire/raw-data.ts'

/**
 * Opens what a volunteer signed and checks that it is about this job and signed by this very volunteer.
 * @returns the testimony, and the blob that is the raw data
 * @throws PytiError `bad-submission` | `too-large`
 */
export async function checkEnvelope(
  envelope: Envelope,
  job: Job,
  volunteer: string,
): Promise<{ testimony: Testimony; blob: BlobRef }> {
  const testimony = await blame(() => readTestimony(envelope))
  if (testimony.volunteer !== volunteer) throw bad(`the statement is that of ${testimony.volunteer}`)
  await blame(() => demandSameJob(testimony, job))
  const [about] = testimony.statement.subject
  if (about.name !== job.subject.filename || about.digest.sha256 !== job.subject.sha256)
    throw bad('the statement is about another file')
  const observation = rawDataObservation(testimony.statement)
  if (!observation) throw bad('the statement must name exactly one raw data')
  const blob = { sha256: observation.digest.sha256, size: observation.annotations.size }
  if (blob.size > limits.rawDataBytes) throw tooLarge('the raw data', blob.size, limits.rawDataBytes)
  return { testimony, blob }
}

/**
 * Reads the raw data and checks that the statement names it and its attachments exactly as they are.
 * @throws PytiError `bad-submission` | `too-large`
 */
export async function checkRawData(testimony: Testimony, bytes: Uint8Array, job: Job): Promise<RawData> {
  const rawData = await blame(() => rawDataOf(testimony, bytes, job))
  for (const [task, entry] of Object.entries(rawData.tasks))
    if (entry.stable.reason !== 'not-requested' && !job.tasks.some(asked => asked === task))
      throw bad(`the raw data has the task ${task}, which the job does not ask for`)
  for (const task of job.tasks) if (!rawData.tasks[task]) throw bad(`the raw data lacks the task ${task}`)
  const { attachments } = rawData
  if (new Set(attachments.map(({ name }) => name)).size < attachments.length)
    throw bad('two attachments have one name')
  for (const { name, size } of attachments)
    if (size > limits.logBytes) throw tooLarge(name, size, limits.logBytes)
  const total = attachments.reduce((sum, { size }) => sum + size, 0)
  if (total > limits.guestOutputBytes) throw tooLarge('all attachments', total, limits.guestOutputBytes)
  return rawData
}

/** Whatever is wrong with what a volunteer signed is its mistake, not ours. */
async function blame<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new PytiError('bad-submission', cause instanceof Error ? cause.message : 'malformed', { cause })
  }
}

function bad(message: string): PytiError {
  return new PytiError('bad-submission', message)
}

function tooLarge(what: string, bytes: number, most: number): PytiError {
  return new PytiError('too-large', `${what}: ${bytes} bytes, at most ${most} are taken`)
}
