import { digestOf } from '../wire/canonical.ts'
import type { RawData, TestOutcome } from '../wire/raw-data.ts'
import { stableSections } from '../wire/raw-data.ts'

/** What one volunteer's raw data says, reduced to what is voted on. */
export interface Ballot {
  /** Section -> SHA-256 of its voted form. */
  readonly sections: Readonly<Record<string, string>>
  /** Node id -> outcome: voted on test by test, since a flaky test must not void everything else. */
  readonly tests: Readonly<Record<string, TestOutcome>>
}

type UnittestStable = NonNullable<RawData['tasks']['unittest']>['stable']

export function ballotOf(rawData: RawData): Ballot {
  const sections = Object.entries(votedSections(rawData)).map(([name, section]) => [name, digestOf(section)])
  return { sections: Object.fromEntries(sections), tests: rawData.tasks.unittest?.stable.tests ?? {} }
}

/**
 * The stable sections as they are compared: all of them whole, `unittest` without the outcomes of its tests. What depends on
 * the job's nonce is a section of its own, so that answers to two jobs on one file can be compared without it.
 */
export function votedSections(rawData: RawData): Record<string, unknown> {
  const sections = stableSections(rawData)
  const unittest = rawData.tasks.unittest?.stable
  const { keyed, ...install } = rawData.tasks.install?.stable ?? {}
  return {
    ...sections,
    ...(rawData.tasks.install && { install }),
    ...(keyed !== undefined && { keyed }),
    ...(unittest && { unittest: votedUnittest(unittest) }),
  }
}

function votedUnittest(stable: UnittestStable): unknown {
  const { tests, status, reason, exitCode, ...rest } = stable
  const section = { ...rest, tests: Object.keys(tests).sort() }
  return followsFromOutcomes(stable) ? section : { ...section, status, reason, exitCode }
}

/**
 * Whether the task's status says nothing that the outcomes do not say already. Only then may it be left out of the
 * vote: a status that contradicts its own outcomes, or outcomes that are cut short, stays in and is compared.
 */
export function followsFromOutcomes(stable: UnittestStable): boolean {
  if (stable.testsOmitted > 0 || stable.signal !== undefined) return false
  const seen = new Set(Object.values(stable.tests))
  const broken = seen.has('failed') || seen.has('error')
  if (stable.status === 'passed') return stable.reason === undefined && !broken
  if (stable.status === 'failed') return stable.reason === 'tests-failed' && (broken || seen.has('flaky'))
  return (
    stable.status === 'unsupported' &&
    stable.reason === 'needs-network' &&
    seen.has('needs-network') &&
    !broken
  )
}
