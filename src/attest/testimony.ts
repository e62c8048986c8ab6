import { PytiError } from '../errors.ts'
import { publicKeyFromPeerId } from '../peer-id.ts'
import { canonicalJson } from '../wire/canonical.ts'
import type { Envelope } from '../wire/envelope.ts'
import { demandedBackend, type Job, jobId } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import { RawData } from '../wire/raw-data.ts'
import { demand } from './checks.ts'
import { attestationId, openEnvelope, unverifiedPayload } from './dsse.ts'
import { parseExactly } from './parse.ts'
import { observationsOf, RawDataStatement, rawDataObservation } from './raw-statement.ts'
import { parseStatement } from './statement.ts'

/** One volunteer's signed statement, signature checked. */
export interface Testimony {
  readonly attestation: string
  readonly volunteer: string
  readonly publicKey: Uint8Array
  readonly statement: RawDataStatement
}

/**
 * Reads a volunteer's envelope. The key is the one in the peer id the statement names, so the signature proves that
 * this peer says it.
 * @throws PytiError `bad-envelope` | `bad-signature` | `bad-statement` | `bad-key` | `bad-peer-id`
 */
export async function readTestimony(envelope: Envelope): Promise<Testimony> {
  const claimed = parseStatement(RawDataStatement, unverifiedPayload(envelope))
  const { volunteer } = claimed.predicate
  const publicKey = publicKeyFromPeerId(volunteer)
  const statement = parseStatement(RawDataStatement, await openEnvelope(envelope, publicKey))
  return { attestation: attestationId(envelope), volunteer, publicKey, statement }
}

/** One after the other, so that of several bad ones it is always the first that is named. Throws like `readTestimony`. */
export async function readTestimonies(envelopes: readonly Envelope[]): Promise<Testimony[]> {
  const testimonies: Testimony[] = []
  for (const envelope of envelopes) testimonies.push(await readTestimony(envelope))
  return testimonies
}

/**
 * Refuses a statement made for another job, file or guest image, or for an earlier go at this file.
 * @throws PytiError `check-failed`
 */
export function demandSameJob({ statement, volunteer }: Testimony, job: Job): void {
  const { task, runner } = statement.predicate
  demand(task.id === jobId(job), `${volunteer} speaks about another job`)
  demand(task.nonce === job.nonce, `${volunteer} does not know the nonce of the job`)
  demand(runner[0].digest.sha256 === job.profile.image, `${volunteer} ran another guest image`)
}

/**
 * Raw data from its canonical JSON bytes.
 * @throws PytiError `bad-raw-data`
 */
export function readRawData(bytes: Uint8Array): RawData {
  if (bytes.length > limits.rawDataBytes)
    throw new PytiError('bad-raw-data', 'the raw data is larger than raw data may be')
  return parseExactly(RawData, bytes, 'bad-raw-data', 'the raw data')
}

/**
 * The raw data a volunteer vouches for, which must be that of the job.
 * @throws PytiError `check-failed` | `bad-raw-data`
 */
export function rawDataOf({ statement, volunteer }: Testimony, bytes: Uint8Array, job: Job): RawData {
  const rawData = readRawData(bytes)
  demand(
    canonicalJson(observationsOf(rawData)) === canonicalJson(statement.predicate.observations),
    `the observations of ${volunteer} are not those of its raw data`,
  )
  const { subject, guest } = rawData
  demand(
    rawData.job === jobId(job) &&
      rawData.nonce === job.nonce &&
      guest.stable.image === job.profile.image &&
      canonicalJson(subject) === canonicalJson(job.subject),
    `the raw data of ${volunteer} belongs to another job`,
  )
  demandBackend(rawData, volunteer, job)
  return rawData
}

/**
 * The backend is in the volatile half, which nobody votes on; it is the volunteer's signed word all the same. `none` is
 * what it says when no VM was needed, or when what the VM said does not count: then no task can have run.
 */
function demandBackend({ guest, tasks }: RawData, volunteer: string, job: Job): void {
  const demanded = demandedBackend(job.profile)
  const { backend } = guest.volatile
  if (demanded === undefined || backend === demanded) return
  demand(backend === 'none', `the VM ran on ${backend} (${volunteer}), but the job demands ${demanded}`)
  for (const [task, { stable }] of Object.entries(tasks))
    demand(
      stable.reason === 'bad-input' || stable.reason === 'tampered',
      `the raw data names no backend (${volunteer}) but has the task ${task}; the job demands ${demanded}`,
    )
}

/**
 * SHA-256 of the raw data a statement names.
 * @throws PytiError `check-failed`
 */
export function rawDataDigest({ statement, volunteer }: Testimony): string {
  const observation = rawDataObservation(statement)
  demand(observation !== undefined, `the statement of ${volunteer} does not name exactly one raw data`)
  return observation.digest.sha256
}
