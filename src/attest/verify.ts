import type { Evaluation } from '../report/evaluation.ts'
import { decodeBundle } from './bundle.ts'
import { type Check, CheckList } from './checks.ts'
import type { ReportStatement } from './report-statement.ts'
import type { RootState } from './root-state.ts'
import type { Testimony } from './testimony.ts'
import { checkContents } from './verify-contents.ts'
import { checkLog } from './verify-log.ts'
import { checkReport, checkTestimonies } from './verify-signatures.ts'

export interface VerifyOptions {
  /** The file at hand. */
  readonly distribution?: { readonly sha256: string; readonly size: number }
  /** Peer ids of the report keys the reader trusts. */
  readonly trustedKeys?: readonly string[]
  /**
   * Agreeing volunteers the reader wants to see.
   * @default what the job's class asks for
   */
  readonly minimumVolunteers?: number
  /** Key of the log the reader trusts, as a C2SP vkey. */
  readonly logKey?: string
  /** Keys of witnesses the reader trusts, as C2SP vkeys, and how many of them must have signed: all when left out. */
  readonly witnesses?: readonly string[]
  readonly minimumWitnesses?: number
  /** Says which keys may sign, and stands in for `logKey`, `witnesses` and `minimumWitnesses`, which are not looked at then. */
  readonly root?: RootState
  /** A checkpoint of the log that the reader got earlier, whose signature was checked then. */
  readonly seenCheckpoint?: string
}

export interface Verification {
  /** No check failed. A check may still be `unknown`: the coordinator's key is, when the reader trusts none. */
  readonly ok: boolean
  readonly checks: Check[]
  /** Present when the report's own signature holds, even if another check failed. */
  readonly report?: ReportStatement
  readonly evaluation?: Evaluation
  /** Peer id form of the key that signed the report. */
  readonly reportKey?: string
  /** Every volunteer whose signature holds. */
  readonly volunteers: { volunteer: string; attestation: string; agreeing: boolean }[]
}

/**
 * Checks a report bundle offline, down to the raw data: who signed, that the volunteers are distinct and speak of this
 * very job, that nothing is missing, that consensus and evaluation follow from the raw data. Never throws (rejects) for
 * what a bundle holds; each failure is a named check.
 */
export async function verifyBundle(bytes: Uint8Array, options: VerifyOptions = {}): Promise<Verification> {
  const list = new CheckList()
  const bundle = await list.get(
    'bundle-form',
    () => decodeBundle(bytes),
    ({ rawData }) => `one report and the signed statements of ${rawData.length} volunteers`,
  )
  const signed = bundle && (await checkReport(list, bundle.report, options))
  const all = bundle && (await checkTestimonies(list, bundle.rawData))
  const compared = signed?.statement?.predicate.baseline?.attestation
  const testimonies = all?.filter(({ attestation }) => attestation !== compared)
  if (bundle && signed?.statement && testimonies)
    await checkContents(list, {
      bundle,
      report: signed.statement,
      reportKey: signed.key,
      testimonies,
      baseline: all?.find(({ attestation }) => attestation === compared),
      options,
    })
  if (bundle && signed?.statement)
    await checkLog(list, bundle, { report: signed.statement, reportKey: signed.key }, options)
  const checks = list.list()
  return {
    ok: checks.every(check => check.state !== 'failed'),
    checks,
    volunteers: votersOf(testimonies ?? [], signed?.statement),
    ...(signed ? { reportKey: signed.key } : {}),
    ...(signed?.statement
      ? { report: signed.statement, evaluation: signed.statement.predicate.evaluation }
      : {}),
  }
}

function votersOf(testimonies: Testimony[], report: ReportStatement | undefined): Verification['volunteers'] {
  const used = new Set(report?.predicate.inputAttestations.map(input => input.digest.sha256))
  return testimonies.map(({ volunteer, attestation }) => ({
    volunteer,
    attestation,
    agreeing: used.has(attestation),
  }))
}
