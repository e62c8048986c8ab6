import { z } from 'zod'
import { canonicalBytes, sha256 } from '../wire/canonical.ts'
import { Hex128, PeerIdText, Rfc3339, Sha256 } from '../wire/job.ts'
import type { RawData } from '../wire/raw-data.ts'
import { statementAbout, statementOf } from './statement.ts'

export const rawDataPredicate = 'https://pyti.example/raw-observation/v1'
export const rawDataMediaType = 'application/vnd.pyti.raw-data+json'
export const rawDataName = 'raw-data.json'

const Digest = z.strictObject({ sha256: Sha256 })
const Observation = z.strictObject({
  name: z.string().min(1).max(200),
  digest: Digest,
  mediaType: z.string().max(100),
  annotations: z.strictObject({ size: z.int().min(0) }),
})
export type Observation = z.infer<typeof Observation>

/** What a volunteer signs (attestation.md 2.3). `task.id` is the job's id, `task.round` the number of the seat. */
export const RawDataStatement = statementOf(
  rawDataPredicate,
  z.strictObject({
    volunteer: PeerIdText,
    task: z.strictObject({ id: Sha256, nonce: Hex128, round: z.int().min(0).max(1_000) }),
    runner: z.tuple([z.strictObject({ name: z.literal('guest-image'), digest: Digest })]),
    startedOn: Rfc3339,
    finishedOn: Rfc3339,
    observations: z.array(Observation).min(1).max(101),
    salt: Hex128,
  }),
)
export type RawDataStatement = z.infer<typeof RawDataStatement>

/** @param input.salt 16 random bytes in hex, so that a published id cannot be guessed from likely raw data */
export function rawDataStatement(input: {
  volunteer: string
  rawData: RawData
  round: number
  startedOn: string
  finishedOn: string
  salt: string
}): RawDataStatement {
  const { rawData } = input
  return {
    ...statementAbout(rawData.subject),
    predicateType: rawDataPredicate,
    predicate: {
      volunteer: input.volunteer,
      task: { id: rawData.job, nonce: rawData.nonce, round: input.round },
      runner: [{ name: 'guest-image', digest: { sha256: rawData.guest.stable.image } }],
      startedOn: input.startedOn,
      finishedOn: input.finishedOn,
      observations: observationsOf(rawData),
      salt: input.salt,
    },
  }
}

/** The raw data itself first, then its attachments. */
export function observationsOf(rawData: RawData): Observation[] {
  const bytes = canonicalBytes(rawData)
  const attachments = rawData.attachments.map(({ name, sha256, size }) => ({
    name,
    digest: { sha256 },
    mediaType: 'text/plain',
    annotations: { size },
  }))
  return [
    {
      name: rawDataName,
      digest: { sha256: sha256(bytes) },
      mediaType: rawDataMediaType,
      annotations: { size: bytes.length },
    },
    ...attachments,
  ]
}

/** The observation that is the raw data, if the statement names exactly one. */
export function rawDataObservation(statement: RawDataStatement): Observation | undefined {
  const found = statement.predicate.observations.filter(one => one.mediaType === rawDataMediaType)
  return found.length === 1 ? found[0] : undefined
}
