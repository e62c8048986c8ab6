import type { Job } from '../../wire/job.ts'
import type { RawData, TestOutcome } from '../../wire/raw-data.ts'
import type { Evaluation } from '../evaluation.ts'
import { mergeOutcomes } from '../outcomes.ts'

/** A verified report and what it follows from. Every export is a pure function of it: the same report, the same bytes. */
export interface ExportInput {
  readonly evaluation: Evaluation
  readonly verificationResult: 'PASSED' | 'FAILED' | 'INCONCLUSIVE'
  /** RFC 3339: the report's own time, as an export takes no clock. */
  readonly timeVerified: string
  readonly job: { readonly id: string; readonly definition: Job }
  /** Of the agreeing volunteers; at least one. */
  readonly rawData: readonly RawData[]
  readonly flaky: readonly string[]
  /** How many volunteers handed in raw data, and how many of them agree. */
  readonly volunteers: number
  readonly agreeing: number
  /** Peer id form of the key that signed the report, and what its coordinator runs. */
  readonly reportKey: string
  readonly software: string
  /** Attestation id of the report, and SHA-256 of the bundle file. */
  readonly digests: { readonly report: string; readonly bundle: string }
}

/** One outcome per node id, sorted. */
export function testOutcomesOf({ rawData, flaky }: ExportInput): Map<string, TestOutcome> {
  return mergeOutcomes(
    rawData.map(one => one.tasks.unittest?.stable.tests ?? {}),
    flaky,
  )
}

/** `3 of 3 volunteers` */
export function agreementWords({ agreeing, volunteers }: ExportInput): string {
  return `${agreeing} of ${volunteers} volunteer${volunteers === 1 ? '' : 's'}`
}

/** What the VMs ran on, `uml` or `tcg+uml`. */
export function backendsOf({ rawData }: ExportInput): string {
  return [...new Set(rawData.map(one => one.guest.volatile.backend))].sort().join('+')
}
