/**
 * When raw data from several volunteers is good enough for a report.
 *
 * Sections. Ballots with equal section digests form a group. A group is accepted iff
 *
 *     size >= quorum + 2 * (ballots outside the group)
 *
 * - Nothing is ever accepted over a dissent that merely happens to be in the minority: each dissenting ballot demands two more
 *   agreeing ones. A liar thus costs machine time, never the truth, and honest runs that do not repeat stay visible.
 * - Groups are compared by size only, never "the first to match", so the order of arrival cannot decide.
 * - We ask for exactly the seats that the largest group still needs, all of them at once (they run side by side), and say
 *   `unresolved` as soon as `maxSeats` cannot suffice: more runs would only burn volunteers' electricity.
 * - With quorum 3 of at most 7 seats, one or two colluding liars never reach the size a group needs (3, 5 or 7).
 *
 * Tests are settled one by one within the accepted group, because a flaky test is a finding about the package and no
 * reason to throw away everything else. See `standingOf`. A single dissent asks for one more seat at a time, as the
 * next run usually settles it; if it was never reproduced when all seats are used, the outcome of the others holds,
 * provided they are at least quorum + 2, as above.
 */
import { PytiError } from '../errors.ts'
import { canonicalJson } from '../wire/canonical.ts'
import type { TestOutcome } from '../wire/raw-data.ts'
import type { Ballot } from './ballot.ts'
import { standingOf, type Tally, tallyTests } from './tests.ts'

export interface Rules {
  readonly quorum: number
  readonly maxSeats: number
}

export const defaultRules: Rules = { quorum: 3, maxSeats: 7 }

export interface Cast {
  readonly volunteer: string
  readonly ballot: Ballot
}

/** One volunteer's word on one test against the accepted outcome. */
export interface TestDissent {
  readonly test: string
  readonly volunteer: string
  readonly outcome: TestOutcome
  readonly accepted: TestOutcome
}

export type Decision =
  /** `seats` more are needed. */
  | { kind: 'wait'; seats: number }
  /** Volunteers and node ids are sorted. `flaky` holds every test whose accepted outcome is `flaky`. */
  | {
      kind: 'accept'
      agreeing: string[]
      dissenting: string[]
      flaky: string[]
      testDissents: TestDissent[]
    }
  | { kind: 'unresolved'; reason: string; sections: string[]; tests: string[] }

/** @throws PytiError `duplicate-volunteer` when a volunteer has two ballots: a voice counts once */
export function decide(casts: readonly Cast[], rules: Rules = defaultRules): Decision {
  const ordered = [...casts].sort((a, b) => compareText(a.volunteer, b.volunteer))
  ordered.forEach((cast, index) => {
    if (ordered[index - 1]?.volunteer === cast.volunteer)
      throw new PytiError('duplicate-volunteer', `${cast.volunteer} has more than one ballot`)
  })
  const groups = groupBySections(ordered)
  const largest = Math.max(0, ...groups.map(group => group.length))
  const missing = rules.quorum + 2 * (ordered.length - largest) - largest
  if (missing > 0)
    return ordered.length + missing > rules.maxSeats
      ? unresolvedSections(ordered, groups, rules)
      : { kind: 'wait', seats: missing }
  const winners = groups.find(group => group.length === largest) ?? []
  return settleTests(winners, ordered, rules)
}

function settleTests(winners: Cast[], casts: Cast[], rules: Rules): Decision {
  const tallies = tallyTests(winners.map(cast => cast.ballot.tests))
  const standings = [...tallies].map(([test, tally]) => ({ test, tally, standing: standingOf(tally) }))
  const open = standings.filter(entry => entry.standing === 'open')
  if (open.length > 0 && casts.length < rules.maxSeats) return { kind: 'wait', seats: 1 }
  const unsettled = open.filter(entry => entry.tally.commonCount < rules.quorum + 2)
  if (unsettled.length > 0) return unresolvedTests(unsettled.map(entry => entry.test))
  const flaky = standings.filter(({ tally, standing }) => standing === 'flaky' || tally.common === 'flaky')
  return {
    kind: 'accept',
    agreeing: winners.map(cast => cast.volunteer),
    dissenting: casts.filter(cast => !winners.includes(cast)).map(cast => cast.volunteer),
    flaky: flaky.map(entry => entry.test),
    testDissents: open.flatMap(({ test, tally }) => testDissents(test, tally, winners)),
  }
}

function testDissents(test: string, tally: Tally, winners: Cast[]): TestDissent[] {
  return winners.flatMap(({ volunteer, ballot }) => {
    const outcome = ballot.tests[test]
    return outcome === undefined || outcome === tally.common
      ? []
      : [{ test, volunteer, outcome, accepted: tally.common }]
  })
}

function groupBySections(casts: Cast[]): Cast[][] {
  return [...Map.groupBy(casts, cast => canonicalJson(cast.ballot.sections)).values()]
}

function unresolvedSections(casts: Cast[], groups: Cast[][], rules: Rules): Decision {
  const names = [...new Set(casts.flatMap(cast => Object.keys(cast.ballot.sections)))].sort()
  const sections = names.filter(name => new Set(casts.map(cast => cast.ballot.sections[name])).size > 1)
  const sizes = groups.map(group => group.length).sort((a, b) => b - a)
  const reason =
    `volunteers disagree on ${sections.join(', ')}: ${casts.length} ballots in groups of ${sizes.join(', ')}; ` +
    `no group can get the majority it needs within ${rules.maxSeats} seats`
  return { kind: 'unresolved', reason, sections, tests: [] }
}

function unresolvedTests(tests: string[]): Decision {
  const [first = ''] = tests
  const shown = first.length > 200 ? `${first.slice(0, 200).toWellFormed()}...` : first
  const more = tests.length > 1 ? ` and ${tests.length - 1} more` : ''
  const reason = `volunteers disagree on the outcome of ${shown}${more}, and all seats are used`
  return { kind: 'unresolved', reason, sections: [], tests }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
