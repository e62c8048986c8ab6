import type { Evaluation } from '../report/evaluation.ts'
import { decodeBundle } from './bundle.ts'
import { type Check, CheckList } from './checks.ts'
import type { ReportStatement } from './report-statement.ts'
import type { Testimony } from './testimony.ts'
import { checkContents } from './verify-contents.ts'
import { checkReport, checkTestimonies } from './verify-signatures.ts'

export interface VerifyOptions {
  /** The file at hand. */
  readonly distribution?: { readonly sha256: string; readonly size: number }
  /** Peer ids of the report keys the reader trusts. */
  readonly trustedKeys?: readonly string[]
  /**
   * Agreeing volunteers the reader wants to see.
   * @default 3
   */
  readonly minimumVolunteers?: number
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
 * very job, that nothing is missing, that consensus and evaluation follow from the raw data. Never throws for what a
 * bundle holds; each failure is a named check.
 */
export function verifyBundle(bytes: Uint8Array, options: VerifyOptions = {}): Verification {
  const list = new CheckList()
  const bundle = list.get(
    'bundle-form',
    () => decodeBundle(bytes),
    ({ rawData }) => `one report and the signed statements of ${rawData.length} volunteers`,
  )
  const signed = bundle && checkReport(list, bundle.report, options)
  const testimonies = bundle && checkTestimonies(list, bundle.rawData)
  if (bundle && signed?.statement && testimonies)
    checkContents(list, { bundle, report: signed.statement, reportKey: signed.key, testimonies, options })
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
