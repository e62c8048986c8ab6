import { PytiError } from '../errors.ts'
import type { TestOutcome } from '../wire/raw-data.ts'

type Votes = readonly Readonly<Record<string, TestOutcome>>[]

/**
 * One outcome per node id, sorted, from the agreeing volunteers: `flaky` where consensus says so, else the outcome of all but
 * at most one of them.
 * @throws PytiError `disagreement` when consensus cannot have accepted these outcomes
 */
export function mergeOutcomes(votes: Votes, flaky: readonly string[]): Map<string, TestOutcome> {
  const counts = countOutcomes(votes)
  for (const test of flaky)
    if (!counts.has(test)) throw disagreement(`the test ${test} is called flaky, but nobody reports it`)
  const unstable = new Set(flaky)
  return new Map(
    [...counts.keys()]
      .sort()
      .map(test => [test, unstable.has(test) ? 'flaky' : outcomeOf(test, counts.get(test), votes.length)]),
  )
}

function countOutcomes(votes: Votes): Map<string, Map<TestOutcome, number>> {
  const counts = new Map<string, Map<TestOutcome, number>>()
  for (const vote of votes)
    for (const [test, outcome] of Object.entries(vote)) {
      const count = counts.get(test) ?? new Map<TestOutcome, number>()
      counts.set(test, count.set(outcome, (count.get(outcome) ?? 0) + 1))
    }
  return counts
}

function outcomeOf(
  test: string,
  counts: ReadonlyMap<TestOutcome, number> | undefined,
  voters: number,
): TestOutcome {
  for (const [outcome, count] of counts ?? [])
    if (count === voters || (count === voters - 1 && count > 1)) return outcome
  throw disagreement(`volunteers disagree on the outcome of the test ${test}`)
}

function disagreement(message: string): PytiError {
  return new PytiError('disagreement', message)
}
