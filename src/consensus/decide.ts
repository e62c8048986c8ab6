/**
 * When raw data from several volunteers is good enough for a report.
 *
 * Sections. All seats that were drawn must have answered. They are accepted when all are equal, come from `quorum` distinct
 * clusters, and their odds suffice. Nothing is ever accepted over a dissent because it is in the minority: a dissent is
 * looked into.
 *
 * - By referees (volunteers run by the community), where there are any: two at first, then the rest. Alike, they settle it,
 *   whatever the seats said. Different, the job does not repeat: `flaky`.
 * - Else by a panel: volunteers of clusters not used so far. Unanimous, it settles it. If not, what two clusters each have
 *   reproduced is `flaky`, and anything else `unresolved`.
 *
 * Tests are settled one by one among those whose sections are equal, because a flaky test is a finding about the package and
 * no reason to throw away everything else. See `standingOf`. A single dissent asks for one more seat at a time, as the
 * next run usually settles it; if it was never reproduced when all seats are used, the outcome of the others holds,
 * provided they are at least quorum + 2.
 */
import { PytiError } from '../errors.ts'
import type { TestOutcome } from '../wire/raw-data.ts'
import type { Ballot } from './ballot.ts'
import type { JobClass } from './classes.ts'
import { oddsReach } from './credibility.ts'
import { standingOf, type Tally, tallyTests } from './tests.ts'

/** The rules of one job; `rulesOf` in classes.ts makes them. */
export interface Rules {
  readonly jobClass: JobClass
  /** Distinct clusters that must agree. */
  readonly quorum: number
  /** What the odds of the agreeing must reach, as a whole number; 0: they are not weighed. */
  readonly odds: number
  /** Seats that were drawn, the hidden ones among them. */
  readonly seats: number
  /** Seats after which nothing more is asked for one test's sake. */
  readonly maxSeats: number
  /** Volunteers that look into a dissent where there are no referees. */
  readonly panel: number
  /** Referees that look into a dissent; 0 where there are none. */
  readonly referees: number
  /** Referees the network has for the job. */
  readonly refereePool: number
  /** Referees called without any dissent. */
  readonly spotReferees: number
}

export const roles = ['seat', 'panel', 'referee', 'shadow'] as const
/** `shadow`: a newcomer whose answer is checked and never counted. */
export type Role = (typeof roles)[number]

export interface Cast {
  readonly volunteer: string
  readonly ballot: Ballot
  readonly role: Role
  /** Who is probably one person: see book.ts. */
  readonly cluster: string
  /** Odds in thousandths. */
  readonly weight: number
}

/** One volunteer's word on one test against the accepted outcome. */
export interface TestDissent {
  readonly test: string
  readonly volunteer: string
  readonly outcome: TestOutcome
  readonly accepted: TestOutcome
}

export type Decision =
  /** So many more are needed in this role. */
  | { kind: 'wait'; role: 'seat' | 'panel' | 'referee'; seats: number }
  /** Volunteers and node ids are sorted. `flaky` holds every test whose accepted outcome is `flaky`. */
  | {
      kind: 'accept'
      agreeing: string[]
      dissenting: string[]
      flaky: string[]
      testDissents: TestDissent[]
    }
  /**
   * It does not repeat: honest runs bear out more than one answer. `agreeing` gave the most frequent of these, all others
   * are `dissenting`; `sections` are those they differ in.
   */
  | {
      kind: 'flaky'
      reason: string
      sections: string[]
      agreeing: string[]
      dissenting: string[]
      flaky: string[]
    }
  | { kind: 'unresolved'; reason: string; sections: string[]; tests: string[] }

/** @throws PytiError `duplicate-volunteer` when a volunteer has two ballots: a voice counts once */
export function decide(casts: readonly Cast[], rules: Rules): Decision {
  const ordered = [...casts].sort((a, b) => compareText(a.volunteer, b.volunteer))
  ordered.forEach((cast, index) => {
    if (ordered[index - 1]?.volunteer === cast.volunteer)
      throw new PytiError('duplicate-volunteer', `${cast.volunteer} has more than one ballot`)
  })
  const voices = ordered.filter(cast => cast.role !== 'shadow')
  const seats = voices.filter(cast => cast.role === 'seat')
  const referees = voices.filter(cast => cast.role === 'referee')
  if (seats.length < rules.seats) return { kind: 'wait', role: 'seat', seats: rules.seats - seats.length }
  if (referees.length < rules.spotReferees)
    return { kind: 'wait', role: 'referee', seats: rules.spotReferees - referees.length }
  const groups = groupBySections(voices)
  if (groups.length > 1) return review(voices, groups, ordered, rules)
  const clusters = new Set(seats.map(cast => cast.cluster)).size
  if (clusters >= rules.quorum && oddsReach(seats, rules.odds)) return settleTests(voices, ordered, rules)
  if (seats.length < rules.maxSeats) return { kind: 'wait', role: 'seat', seats: 1 }
  const reason = `${seats.length} volunteers of ${clusters} clusters agree, and all seats are used, but their odds are below ${rules.odds}`
  return { kind: 'unresolved', reason, sections: [], tests: [] }
}

/** Looks into a dissent. */
function review(voices: Cast[], groups: Cast[][], casts: Cast[], rules: Rules): Decision {
  const isReferee = rules.referees > 0
  const role = isReferee ? 'referee' : 'panel'
  const referees = voices.filter(cast => cast.role === 'referee')
  // What one referee alone saw is more likely a fault of its machine: another one is asked in its stead, if there is one.
  const alone = new Set(referees.length < rules.refereePool ? groups.filter(isLone).flat() : [])
  const jurors = voices.filter(cast => cast.role === role && !(isReferee && alone.has(cast)))
  const answers = groupBySections(jurors)
  const needed = isReferee ? rules.referees : rules.panel
  // Two referees that differ say all there is to say; only if they are alike the others have to run.
  const next = isReferee && jurors.length < 2 ? 2 : needed
  if (answers.length <= 1 && jurors.length < next) return { kind: 'wait', role, seats: next - jurors.length }
  const [only] = answers
  if (answers.length === 1 && only) {
    const winners = groups.find(group => only.every(cast => group.includes(cast))) ?? only
    return settleTests(winners, casts, rules)
  }
  if (!isReferee && jurors.length < needed) return { kind: 'wait', role, seats: needed - jurors.length }
  return notRepeating(voices, isReferee ? answers : groups, isReferee ? 1 : 2)
}

function isLone(group: readonly Cast[]): boolean {
  return group.length === 1
}

/** What volunteers see of the package; in anything else honest runs of one job cannot differ. */
const ofThePackage = (section: string) => !['intake', 'guest', 'keyed'].includes(section)

/** @param times distinct clusters an answer needs to count as borne out */
function notRepeating(voices: Cast[], groups: Cast[][], times: number): Decision {
  const sections = differing(voices)
  const sizes = groups.map(group => group.length).sort((a, b) => b - a)
  const answers = `${voices.length} volunteers differ in ${sections.join(', ')} (${sizes.join(', ')})`
  const [most, second] = groups
    .filter(group => new Set(group.map(cast => cast.cluster)).size >= times)
    .sort((a, b) => b.length - a.length || compareText(answerOfGroup(a), answerOfGroup(b)))
  if (most === undefined || second === undefined || !sections.every(ofThePackage))
    return {
      kind: 'unresolved',
      reason: `${answers}, and no second run bears out the difference`,
      sections,
      tests: [],
    }
  const answer = answerOfGroup(most)
  const agreeing = voices.filter(cast => answerOf(cast.ballot) === answer)
  const tallies = [...tallyTests(agreeing.map(cast => cast.ballot.tests))]
  return {
    kind: 'flaky',
    reason: `it does not repeat: ${answers}, and honest runs bear out more than one answer`,
    sections,
    agreeing: agreeing.map(cast => cast.volunteer),
    dissenting: voices.filter(cast => !agreeing.includes(cast)).map(cast => cast.volunteer),
    flaky: tallies
      .filter(([, tally]) => standingOf(tally) !== 'settled' || tally.common === 'flaky')
      .map(([test]) => test),
  }
}

function answerOfGroup([first]: readonly Cast[]): string {
  return first ? answerOf(first.ballot) : ''
}

function settleTests(winners: Cast[], casts: Cast[], rules: Rules): Decision {
  const tallies = tallyTests(winners.map(cast => cast.ballot.tests))
  const standings = [...tallies].map(([test, tally]) => ({ test, tally, standing: standingOf(tally) }))
  const open = standings.filter(entry => entry.standing === 'open')
  const seats = casts.filter(cast => cast.role === 'seat').length
  if (open.length > 0 && seats < rules.maxSeats) return { kind: 'wait', role: 'seat', seats: 1 }
  const unsettled = open.filter(entry => entry.tally.commonCount < rules.quorum + 2)
  if (unsettled.length > 0) return unresolvedTests(unsettled.map(entry => entry.test))
  const flaky = standings.filter(({ tally, standing }) => standing === 'flaky' || tally.common === 'flaky')
  return {
    kind: 'accept',
    agreeing: winners.map(cast => cast.volunteer),
    dissenting: casts
      .filter(cast => cast.role !== 'shadow' && !winners.includes(cast))
      .map(cast => cast.volunteer),
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

function groupBySections(casts: readonly Cast[]): Cast[][] {
  return [...Map.groupBy(casts, cast => answerOf(cast.ballot)).values()]
}

/** A ballot without what differs from job to job though nothing else does. */
export function acrossJobs({ sections, tests }: Ballot): Ballot {
  const { keyed: _, ...rest } = sections
  return { sections: rest, tests }
}

/** All sections of a ballot as one text: equal exactly when all of them are. */
export function answerOf({ sections }: Ballot): string {
  return Object.entries(sections)
    .map(([name, digest]) => `${name}=${digest}`)
    .sort()
    .join(' ')
}

function differing(casts: readonly Cast[]): string[] {
  const names = [...new Set(casts.flatMap(cast => Object.keys(cast.ballot.sections)))].sort()
  return names.filter(name => new Set(casts.map(cast => cast.ballot.sections[name])).size > 1)
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
