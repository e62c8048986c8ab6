/** What a job that has ended means for those who answered and for the reports that rest on them (volunteer-compute.md 7.3). */
import { aloneTogetherMax, type Book, type Change, mayGraduate, ringRuns, strikesOut } from './book.ts'
import type { Role } from './decide.ts'
import type { RunResult } from './run-result.ts'

export interface Answer {
  readonly volunteer: string
  readonly role: Role
  /** From `answerOf`: equal exactly when all sections are. */
  readonly answer: string
  /** The same without what differs from job to job. */
  readonly across: string
  /** Digest of what went into the guest. */
  readonly intake: string
}

export interface Closed {
  readonly job: string
  /**
   * `sample`: accepted, but on a bundled sample, so there is no report. `known`: one whose answer the coordinator knew beforehand.
   * `trial`: a referee's run of a reported or suspected job.
   */
  readonly outcome: 'accepted' | 'flaky' | 'unresolved' | 'sample' | 'known' | 'trial'
  /** Shadow seats among them. */
  readonly answers: readonly Answer[]
  /** The answer that was accepted or known. */
  readonly accepted?: string | undefined
  /** Distinct operators that had to agree. */
  readonly quorum: number
  /** Of a trial: the job that is run again. */
  readonly repeats?: string | undefined
}

/**
 * Applies a closed job to the book.
 * @param today whole days since the Unix epoch
 * @returns every change made, in order, to be logged
 */
export function settleClosed(book: Book, closed: Closed, today: number): Change[] {
  const changes: Change[] = []
  const make = (change: Change) => {
    book.apply(change, today)
    changes.push(change)
  }
  const isTrial =
    closed.outcome === 'trial' || (closed.outcome === 'unresolved' && closed.repeats !== undefined)
  const ring = isTrial ? tryAgain(book, closed, make) : []
  for (const { volunteer, result } of resultsOf(book, closed)) make({ type: 'answered', volunteer, result })
  for (const pair of aloneTogether(closed))
    if (book.aloneTogether(pair) < aloneTogetherMax) make({ type: 'alike', pair })
  const report = restsOn(closed)
  if (report) make(report)
  for (const suspected of suspectedBy(closed)) make(suspected)
  for (const { volunteer, why } of [...ring, ...strikesOf(book, closed)])
    for (const one of goingWith(book, volunteer))
      if (book.member(one)?.banned === undefined) make({ type: 'banned', volunteer: one, why })
  const banned = changes.flatMap(change => (change.type === 'banned' ? [change.volunteer] : []))
  // Whoever was banned while this job was under way has not brought it down then.
  const before = (report?.winners ?? []).filter(winner => book.member(winner)?.banned !== undefined)
  for (const doubtful of book.restingOn([...banned, ...before]))
    if (doubtful.banned * 2 >= doubtful.winners.length) make({ type: 'withdrawn', job: doubtful.job })
  return changes
}

/**
 * Jobs to be made anew after the end of one: those whose report falls with whom it rests on, and those that a referee's run leaves
 * in doubt without convicting anybody. Such a job does not repeat, which its report should say, or cannot be compared any more.
 * @param changes all that `settleClosed` made, and nothing since
 */
export function inDoubt(book: Book, changes: readonly Change[]): { job: string; withdraw: boolean }[] {
  const isConvicted = changes.some(({ type }) => type === 'banned')
  const found = new Map<string, boolean>()
  for (const change of changes)
    if (change.type === 'withdrawn') found.set(change.job, true)
    else if (change.type === 'tried' || (change.type === 'audited' && change.result !== 'borne-out'))
      if (!isConvicted && !book.suspicion(change.job)) found.set(change.job, false)
  return [...found].map(([job, withdraw]) => ({ job, withdraw }))
}

/** The volunteer and all machines of its operator; but whose a newcomer is is its word, and takes nobody with it that counts. */
function goingWith(book: Book, volunteer: string): string[] {
  const counts = book.member(volunteer)?.graduated === true
  return book
    .operatedWith(volunteer)
    .filter(one => one === volunteer || counts || book.member(one)?.graduated !== true)
}

/**
 * Lets newcomers count that have done enough, as many as the growth of the pool leaves room for, the oldest first.
 * @returns the changes made
 */
export function graduate(book: Book, today: number): Change[] {
  const ready = [...book.members()]
    .filter(member => mayGraduate(member, today))
    .sort((a, b) => a.since - b.since || (a.volunteer < b.volunteer ? -1 : 1))
    .slice(0, book.graduationsLeft(today))
    .map(({ volunteer }): Change => ({ type: 'graduated', volunteer }))
  for (const change of ready) book.apply(change, today)
  return ready
}

function isAccepted(outcome: Closed['outcome']): boolean {
  return outcome === 'accepted' || outcome === 'sample'
}

/** What the report rests on, if there is one. */
function restsOn({
  job,
  outcome,
  answers,
  accepted,
}: Closed): Extract<Change, { type: 'rests-on' }> | undefined {
  if (!isAccepted(outcome)) return undefined
  const agreeing = answers.filter(one => one.role !== 'shadow' && one.answer === accepted)
  const [one] = agreeing
  const winners = agreeing.map(({ volunteer }) => volunteer).sort()
  return one && { type: 'rests-on', job, winners, answer: one.across, intake: one.intake }
}

function resultsOf(book: Book, { outcome, answers, accepted }: Closed) {
  const operators = new Set<string>()
  let refereed = outcome === 'known'
  for (const { volunteer, role, answer } of answers) {
    if (answer !== accepted || role === 'shadow') continue
    operators.add(book.member(volunteer)?.operator ?? volunteer)
    if (role === 'referee') refereed = true
  }
  return answers.map(({ volunteer, answer, role }) => {
    if (accepted === undefined) return { volunteer, result: 'open' as const }
    if (answer !== accepted) return { volunteer, result: 'refuted' as const }
    const self = book.member(volunteer)?.operator ?? volunteer
    const others = operators.size - (operators.has(self) ? 1 : 0)
    return {
      volunteer,
      result: others >= 2 || (refereed && role !== 'referee') ? ('checked' as const) : ('open' as const),
    }
  })
}

/**
 * Pairs that gave one answer which was refuted; or, where none was accepted, which nobody else gave: what a third one or a
 * referee saw too is no sign that two are one.
 */
function aloneTogether({ answers, accepted }: Closed): [string, string][] {
  const groups = [...Map.groupBy(answers, one => one.answer)]
  if (accepted === undefined && groups.length < 2) return []
  return groups.flatMap(([answer, all]) => {
    if (answer === accepted || (accepted === undefined && all.length !== 2)) return []
    if (all.some(one => one.role === 'referee')) return []
    const names = all.map(one => one.volunteer).sort()
    return names.flatMap((a, index) => names.slice(index + 1).map((b): [string, string] => [a, b]))
  })
}

/** At least so many, even where a quorum is smaller: two honest hosts may share a quirk. */
const ringLeast = 3

/**
 * Groups that gave one refuted answer and would have been a report had nobody else been asked. A ring, if referees bear it out;
 * without referees nobody can say.
 */
function suspectedBy({ job, outcome, answers, accepted, quorum }: Closed): Change[] {
  if (!isAccepted(outcome)) return []
  if (!answers.some(one => one.role === 'referee' && one.answer === accepted)) return []
  const refuted = answers.filter(one => one.answer !== accepted && one.role !== 'referee')
  const largest = [...Map.groupBy(refuted, one => one.answer).values()]
    .filter(group => group.length >= Math.max(ringLeast, quorum))
    .sort((a, b) => b.length - a.length)[0]
  if (!largest) return []
  const right = answers.find(one => one.answer === accepted)
  const answer = largest[0]?.across ?? ''
  const volunteers = largest.map(one => one.volunteer).sort()
  return [{ type: 'suspected', job, answer, intake: right?.intake ?? '', volunteers }]
}

/**
 * One more run of a job by a referee: of a reported one, which makes those suspected whom it does not bear out, or of a suspected
 * one.
 * @returns whom to ban when it was the last one that had to refute them
 */
function tryAgain(
  book: Book,
  { repeats = '', outcome, answers }: Closed,
  make: (change: Change) => void,
): { volunteer: string; why: 'ring' }[] {
  const [run] = answers
  // Whom the policy no longer names when its trial ends has tried nobody.
  if (!run || outcome !== 'trial' || !book.isReferee(run.volunteer)) {
    if (book.suspicion(repeats)) make({ type: 'tried', job: repeats, result: 'unresolved' })
    return []
  }
  const report = book.report(repeats)
  if (report && !report.audited) {
    const { answer, intake, winners } = report
    const result = compareRun(run, report)
    make({ type: 'audited', job: repeats, result })
    // Where a referee is among them, two referees differ: the job does not repeat.
    const isTrusted = winners.some(winner => book.isReferee(winner))
    if (result === 'refuted' && !isTrusted && !book.suspicion(repeats))
      make({ type: 'suspected', job: repeats, answer, intake, volunteers: winners })
  }
  const suspicion = book.suspicion(repeats)
  if (!suspicion) return []
  const result = compareRun(run, suspicion)
  make({ type: 'tried', job: repeats, result, referee: run.volunteer })
  const { refutedBy } = suspicion
  const others = refutedBy.some(referee => referee !== run.volunteer)
  if (result !== 'refuted' || refutedBy.length + 1 < ringRuns || !others) return []
  return suspicion.volunteers.map(volunteer => ({ volunteer, why: 'ring' }))
}

function compareRun(run: Answer, { answer, intake }: { answer: string; intake: string }): RunResult {
  if (run.across === answer) return 'borne-out'
  return run.intake === intake ? 'refuted' : 'other-intake'
}

function strikesOf(book: Book, { answers, accepted }: Closed): { volunteer: string; why: 'strikes' }[] {
  if (accepted === undefined) return []
  return answers.flatMap(({ volunteer, answer, role }) => {
    const member = book.member(volunteer)
    const isOut = answer !== accepted && role !== 'referee' && member !== undefined && strikesOut(member)
    return isOut ? [{ volunteer, why: 'strikes' as const }] : []
  })
}
