import { PytiError } from '../errors.ts'
import { canonicalJson } from '../wire/canonical.ts'
import { type RawData, stableSections } from '../wire/raw-data.ts'

type Unittest = NonNullable<RawData['tasks']['unittest']>['stable']

/** The ends of a test run that a single flaky test may turn into one another. */
const outcomeEnds: readonly string[] = ['passed/', 'failed/tests-failed', 'unsupported/needs-network']

/**
 * Refuses raw data that does not say the same. Outcomes of tests may differ, and with them how the task `unittest` ended.
 * @throws PytiError `disagreement`
 */
export function demandAgreement(rawData: readonly RawData[]): void {
  if (new Set(rawData.map(comparable)).size > 1 || !endsAgree(rawData))
    throw new PytiError('disagreement', 'the raw data to evaluate does not agree', {
      hint: 'evaluate only what consensus has accepted',
    })
}

/** Whether all volunteers saw `unittest` end in the very same way. */
export function sameEnd(rawData: readonly RawData[]): boolean {
  return new Set(unittests(rawData).map(endOf)).size <= 1
}

/**
 * Whether the outcomes of the tests decide how the task ended, and all of them are listed. Then volunteers may differ in
 * it, and its exit code says nothing more.
 */
export function endsByOutcomes(stable: Unittest): boolean {
  return outcomeEnds.includes(endOf(stable)) && stable.testsOmitted === 0
}

function endsAgree(rawData: readonly RawData[]): boolean {
  return sameEnd(rawData) || unittests(rawData).every(endsByOutcomes)
}

function comparable(rawData: RawData): string {
  const sections = stableSections(rawData)
  const stable = rawData.tasks.unittest?.stable
  if (stable === undefined) return canonicalJson([rawData.subject, sections])
  const { tests, status: _, reason: __, exitCode, ...rest } = stable
  const end = endsByOutcomes(stable) ? {} : { exitCode }
  const unittest = { ...rest, ...end, tests: Object.keys(tests).sort() }
  return canonicalJson([rawData.subject, { ...sections, unittest }])
}

function unittests(rawData: readonly RawData[]): Unittest[] {
  return rawData.flatMap(one => one.tasks.unittest?.stable ?? [])
}

function endOf({ status, reason }: Unittest): string {
  return `${status}/${reason ?? ''}`
}
