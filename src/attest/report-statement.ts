import { z } from 'zod'
import { type Role, type Rules, roles } from '../consensus/decide.ts'
import { verificationResultOf } from '../report/evaluate.ts'
import { Evaluation } from '../report/evaluation.ts'
import { Job, jobId, OperatorName, PeerIdText, Rfc3339, Sha256, type Subject } from '../wire/job.ts'
import { parseExactly } from './parse.ts'
import { Policy, policyOf } from './policy.ts'
import { statementAbout, statementOf } from './statement.ts'

export const reportPredicate = 'https://pyti.example/report/v1'
const verifierPrefix = 'urn:pyti:coordinator:'

const Index = z.int().min(0)
const voter = {
  volunteer: PeerIdText,
  role: z.enum(roles),
  /** Whose machine it is, as far as anybody knows; seats of one operator are one voice. */
  operator: OperatorName,
  /** Odds in thousandths that the coordinator gave its word when the seats were drawn. */
  weight: z.int().min(0).max(1_000_000),
  /** Of the leaf with the attestation in the log. */
  logIndex: Index,
}
const Attested = z.strictObject({
  digest: z.strictObject({ sha256: Sha256 }),
  annotations: z.strictObject(voter),
})
const Excluded = z.strictObject({ id: Sha256, ...voter, reason: z.enum(['dissent', 'shadow']) })

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
    /** Where the log has the job's raw data: all of it lies between its task leaf and `toIndex`. */
    rawLog: z.strictObject({
      /** The log's key, as a C2SP vkey; its name is the log's. */
      key: z.string().max(400),
      fromIndex: Index,
      toIndex: Index,
    }),
    /** Counts the reports of one coordinator on one file, from 1. */
    sequence: z.int().min(1),
    /** Attestation id of the report before it. */
    supersedes: Sha256.optional(),
    /** Excluded raw data that accuses: what one volunteer alone saw is never outvoted in silence. */
    minority: z.array(z.strictObject({ id: Sha256, verdict: z.enum(['suspicious', 'confirmed']) })).max(100),
    /** The job whole, so that its id can be recomputed. */
    job: z.strictObject({ id: Sha256, definition: Job }),
    /** Tests whose outcome the volunteers found to be flaky. */
    flaky: z.array(z.string().max(2_000)),
    /** Sections (tasks) in which honest runs differ. */
    unrepeated: z.array(z.string().max(100)).max(100),
    /** Raw data of the release before, which the bundle holds too: its report and one attestation that report used. */
    baseline: z.strictObject({ report: Sha256, attestation: Sha256 }).optional(),
    verificationResult: z.enum(['PASSED', 'FAILED', 'INCONCLUSIVE']),
    evaluation: Evaluation,
  }),
)
export type ReportStatement = z.infer<typeof ReportStatement>
export type Minority = ReportStatement['predicate']['minority'][number]

/** An attestation's id, who signed it and how its word counts. */
export interface Voter {
  readonly attestation: string
  readonly volunteer: string
  readonly role: Role
  readonly operator: string
  readonly weight: number
  readonly logIndex: number
}

export function reportStatement(input: {
  /** Peer id form of the report key. */
  reportKey: string
  software: string
  timeVerified: string
  job: Job
  agreeing: readonly Voter[]
  /** Dissenting ones and those of shadow seats. */
  excluded: readonly Voter[]
  rawLog: { key: string; fromIndex: number; toIndex: number }
  sequence: number
  supersedes?: string | undefined
  minority: readonly Minority[]
  flaky: readonly string[]
  unrepeated: readonly string[]
  baseline?: { report: string; attestation: string } | undefined
  evaluation: Evaluation
  rules: Rules
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
      inputAttestations: sorted(input.agreeing).map(one => ({
        digest: { sha256: one.attestation },
        annotations: voiceOf(one),
      })),
      excluded: sorted(input.excluded).map(one => ({
        id: one.attestation,
        ...voiceOf(one),
        reason: one.role === 'shadow' ? 'shadow' : 'dissent',
      })),
      rawLog: input.rawLog,
      sequence: input.sequence,
      ...(input.supersedes !== undefined && { supersedes: input.supersedes }),
      minority: [...input.minority],
      job: { id: jobId(job), definition: job },
      flaky: [...input.flaky].sort(),
      unrepeated: [...input.unrepeated].sort(),
      ...(input.baseline && { baseline: input.baseline }),
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

function voiceOf({ volunteer, role, operator, weight, logIndex }: Voter) {
  return { volunteer, role, operator, weight, logIndex }
}

function sorted(voters: readonly Voter[]): Voter[] {
  return [...voters].sort((a, b) => (a.attestation < b.attestation ? -1 : 1))
}
