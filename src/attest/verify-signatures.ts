import { publicKeyFromPeerId } from '../peer-id.ts'
import type { Envelope } from '../wire/envelope.ts'
import { jobId } from '../wire/job.ts'
import { type CheckList, demand, Unknown } from './checks.ts'
import { openEnvelope, unverifiedPayload } from './dsse.ts'
import { claimedReportKey, purlOf, ReportStatement } from './report-statement.ts'
import { parseStatement } from './statement.ts'
import { readTestimonies, type Testimony } from './testimony.ts'
import type { VerifyOptions } from './verify.ts'

/** Checks the report by itself: signature, signer, statement, job id. */
export async function checkReport(
  list: CheckList,
  envelope: Envelope,
  options: VerifyOptions,
): Promise<{ key: string; statement: ReportStatement | undefined } | undefined> {
  const signed = await list.get(
    'report-signature',
    async () => {
      const key = claimedReportKey(unverifiedPayload(envelope))
      return { key, payload: await openEnvelope(envelope, publicKeyFromPeerId(key)) }
    },
    ({ key }) => `signed by report key ${key}`,
  )
  if (signed === undefined) return undefined
  const { key, payload } = signed
  await list.check('coordinator-key', () =>
    checkPinned(key, options.trustedKeys?.length ? options.trustedKeys : options.root?.reportKeys),
  )
  const statement = await list.get(
    'report-statement',
    () => readReport(payload),
    ({ predicate }) => `${predicate.resourceUri}, made ${predicate.timeVerified}`,
  )
  if (statement) await list.check('job-id', () => checkJob(statement))
  return { key, statement }
}

/** Checks the signature of every volunteer's statement. */
export function checkTestimonies(
  list: CheckList,
  envelopes: readonly Envelope[],
): Promise<Testimony[] | undefined> {
  return list.get(
    'raw-data-signatures',
    () => readTestimonies(envelopes),
    testimonies => `${testimonies.length} statements, each signed by the volunteer it names`,
  )
}

function checkPinned(key: string, trusted: readonly string[] | undefined): string | Unknown {
  if (trusted === undefined || trusted.length === 0)
    return new Unknown(`no trusted key was given, so anyone may have made this report; its key is ${key}`)
  demand(trusted.includes(key), `report key ${key} is not one of the trusted keys`)
  return 'the report key is a trusted one'
}

function readReport(payload: Uint8Array): ReportStatement {
  const statement = parseStatement(ReportStatement, payload)
  const { inputAttestations, excluded, flaky } = statement.predicate
  demand(
    isAscending(inputAttestations.map(input => input.digest.sha256)),
    'its attestations are not in order',
  )
  demand(isAscending(excluded.map(entry => entry.id)), 'its excluded attestations are not in order')
  demand(isAscending(flaky), 'its flaky tests are not in order')
  return statement
}

function checkJob({ predicate: { job, resourceUri } }: ReportStatement): string {
  demand(jobId(job.definition) === job.id, 'the job id is not the digest of the job')
  demand(purlOf(job.definition.subject) === resourceUri, 'the package URL is not that of the job')
  return job.id
}

/** Sorted and without repetition. */
function isAscending(texts: string[]): boolean {
  return texts.every((text, index) => index === 0 || (texts[index - 1] ?? '') < text)
}
