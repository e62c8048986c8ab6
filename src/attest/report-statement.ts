import { z } from 'zod'
import type { Rules } from '../consensus/decide.ts'
import { verificationResultOf } from '../report/evaluate.ts'
import { Evaluation } from '../report/evaluation.ts'
import { Job, jobId, PeerIdText, Rfc3339, Sha256, type Subject } from '../wire/job.ts'
import { parseExactly } from './parse.ts'
import { Policy, policyOf } from './policy.ts'
import { statementAbout, statementOf } from './statement.ts'

export const reportPredicate = 'https://pyti.example/report/v1'
const verifierPrefix = 'urn:pyti:coordinator:'

const Attested = z.strictObject({
  digest: z.strictObject({ sha256: Sha256 }),
  annotations: z.strictObject({ volunteer: PeerIdText }),
})
const Excluded = z.strictObject({ id: Sha256, volunteer: PeerIdText, reason: z.enum(['dissent']) })

/** What the coordinator signs (attestation.md 2.4). Attestations and node ids are sorted. */
export const ReportStatement = statementOf(
  reportPredicate,
  z.strictObject({
    verifier: z.strictObject({
      id: z.string().startsWith(verifierPrefix).max(100),
      version: z.string().max(100),
    }),
    timeVerified: Rfc3339,
    resourceUri: z.string().max(2_000),
    policy: Policy,
    /** All attestations the evaluation follows from. */
    inputAttestations: z.array(Attested).min(1).max(100),
    excluded: z.array(Excluded).max(100),
    /** The job whole, so that its id can be recomputed. */
    job: z.strictObject({ id: Sha256, definition: Job }),
    /** Tests whose outcome the volunteers found to be flaky. */
    flaky: z.array(z.string().max(2_000)),
    verificationResult: z.enum(['PASSED', 'FAILED', 'INCONCLUSIVE']),
    evaluation: Evaluation,
  }),
)
export type ReportStatement = z.infer<typeof ReportStatement>

/** An attestation's id and who signed it. */
export interface Voter {
  readonly attestation: string
  readonly volunteer: string
}

export function reportStatement(input: {
  /** Peer id form of the report key. */
  reportKey: string
  software: string
  timeVerified: string
  job: Job
  agreeing: readonly Voter[]
  dissenting: readonly Voter[]
  flaky: readonly string[]
  evaluation: Evaluation
  rules?: Rules
}): ReportStatement {
  const { job, evaluation } = input
  return {
    ...statementAbout(job.subject),
    predicateType: reportPredicate,
    predicate: {
      verifier: { id: `${verifierPrefix}${input.reportKey}`, version: input.software },
      timeVerified: input.timeVerified,
      resourceUri: purlOf(job.subject),
      policy: policyOf(input.rules),
      inputAttestations: sorted(input.agreeing).map(({ attestation, volunteer }) => ({
        digest: { sha256: attestation },
        annotations: { volunteer },
      })),
      excluded: sorted(input.dissenting).map(({ attestation, volunteer }) => ({
        id: attestation,
        volunteer,
        reason: 'dissent',
      })),
      job: { id: jobId(job), definition: job },
      flaky: [...input.flaky].sort(),
      verificationResult: verificationResultOf(evaluation),
      evaluation,
    },
  }
}

const Claim = z.looseObject({
  predicate: z.looseObject({
    verifier: z.looseObject({ id: z.string().startsWith(verifierPrefix).max(100) }),
  }),
})

/**
 * Peer id form of the key that a report says it is signed with. Read before the signature is checked: it only says
 * which key to check with.
 * @throws PytiError `bad-statement`
 */
export function claimedReportKey(payload: Uint8Array): string {
  const claim = parseExactly(Claim, payload, 'bad-statement', 'the report')
  return claim.predicate.verifier.id.slice(verifierPrefix.length)
}

/** Package URL of one file: `pkg:pypi/NAME@VERSION?file_name=FILE`. */
export function purlOf(subject: Pick<Subject, 'project' | 'version' | 'filename'>): string {
  return `pkg:pypi/${percentEncode(subject.project)}@${percentEncode(subject.version)}?file_name=${percentEncode(subject.filename)}`
}

function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sorted(voters: readonly Voter[]): Voter[] {
  return [...voters].sort((a, b) => (a.attestation < b.attestation ? -1 : 1))
}
