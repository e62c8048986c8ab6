import { PytiError } from '../errors.ts'
import type { TestOutcome } from '../wire/raw-data.ts'

/** How many voters named each outcome of one test. */
export interface Tally {
  readonly counts: ReadonlyMap<TestOutcome, number>
  readonly voters: number
  /** The outcome named most often; of several, the first by name, so that order of arrival plays no part. */
  readonly common: TestOutcome
  readonly commonCount: number
}

export type Standing = 'settled' | 'flaky' | 'open'

/**
 * `flaky`: two volunteers saw the test flicker themselves, or two differ from the most common outcome. One dissent may
 * be a fault or a lie; a second one reproduces it.
 */
export function standingOf(tally: Tally): Standing {
  if (tally.counts.size === 1) return 'settled'
  const dissent = tally.voters - tally.commonCount
  return (tally.counts.get('flaky') ?? 0) >= 2 || dissent >= 2 ? 'flaky' : 'open'
}

/**
 * One tally per node id. All voters must have the same node ids (equal sections see to that).
 * @throws PytiError `disagreement`
 */
export function tallyTests(votes: readonly Readonly<Record<string, TestOutcome>>[]): Map<string, Tally> {
  const counts = new Map<string, Map<TestOutcome, number>>()
  for (const vote of votes)
    for (const [test, outcome] of Object.entries(vote)) {
      const count = counts.get(test) ?? new Map<TestOutcome, number>()
      counts.set(test, count.set(outcome, (count.get(outcome) ?? 0) + 1))
    }
  return new Map([...counts].sort(byKey).map(([test, count]) => [test, tallyOf(test, count, votes.length)]))
}

function tallyOf(test: string, counts: Map<TestOutcome, number>, voters: number): Tally {
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || byKey(a, b))
  const named = ranked.reduce((sum, [, count]) => sum + count, 0)
  const [first] = ranked
  if (!first || named !== voters)
    throw new PytiError('disagreement', `not every volunteer reports the test ${test}`)
  return { counts, voters, common: first[0], commonCount: first[1] }
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}
