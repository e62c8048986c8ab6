import { createMean, wilson } from './interval.ts'
import type { Outcome, Revision, Scheme } from './scheme.ts'
import type { Answer, Job, World } from './world.ts'

/** Counts what becomes of the jobs of one cell. */
export function createTally() {
  const [runs, referees, checks] = [createMean(), createMean(), createMean()]
  /** Accepted and live: whether each is wrong, and since which job. */
  const live = new Map<number, { isWrong: boolean; since: number }>()
  /** Jobs whose last report says that they do not repeat, and whether that is so. */
  const calledFlaky = new Map<number, boolean>()
  let [jobs, wrong, unresolved, rightWithdrawn, refereed, last] = [0, 0, 0, 0, 0, 0]
  const [exposure, untilBan, refutedUntilBan] = [createMean(), createMean(), createMean()]
  let refutedUntilBanMost = 0
  const bans = { honest: { banned: 0, of: 0 }, hostile: { banned: 0, of: 0 } }
  let wrongLive = 0
  const flaky = { called: 0, rightly: 0, there: 0 }
  const end = (job: number) => {
    const report = live.get(job)
    live.delete(job)
    calledFlaky.delete(job)
    if (report?.isWrong) exposure.add(last - report.since)
    return report
  }
  const begin = (job: Job, verdict: Outcome['verdict'], answer: Answer | undefined) => {
    const isWrong = answer !== job.truth && !(job.flaky && answer === 'other')
    if (verdict === 'accept') live.set(job.index, { isWrong, since: last })
    if (verdict === 'accept' && isWrong) wrong++
    if (verdict === 'flaky') calledFlaky.set(job.index, job.flaky)
  }
  const revise = ({ job, made }: Revision) => {
    const before = end(job.index)
    if (made !== 'withdrawn') begin(job, made.verdict, made.answer)
    else if (before && !before.isWrong) rightWithdrawn++
  }
  const addRuns = (outcome: Outcome) => {
    runs.add(outcome.runs)
    referees.add(outcome.referees)
    checks.add(outcome.checks)
  }
  return {
    /** A job before the attacks: sleepers are judged by the cost of honest jobs, as nearly all of theirs are. */
    addHonest: addRuns,
    add(job: Job, outcome: Outcome, revisions: readonly Revision[]) {
      jobs++
      last = job.index
      if (!job.target) addRuns(outcome)
      begin(job, outcome.verdict, outcome.answer)
      if (outcome.verdict === 'unresolved') unresolved++
      if (outcome.referees > 0) refereed++
      if (job.flaky) flaky.there++
      for (const one of revisions) revise(one)
    },
    /** The simulation is over, or this one of several; on a `frozen` state nothing is ever withdrawn. */
    end(world: World, scheme: Scheme, frozen: boolean) {
      for (const { isWrong, since } of live.values()) {
        if (!isWrong) continue
        wrongLive++
        if (!frozen) exposure.add(last - since)
      }
      live.clear()
      flaky.called += calledFlaky.size
      for (const rightly of calledFlaky.values()) if (rightly) flaky.rightly++
      calledFlaky.clear()
      for (const one of world.operators) {
        const group = one.hostile ? bans.hostile : bans.honest
        const isBanned = scheme.isBanned(one)
        group.of++
        if (isBanned) group.banned++
        if (!isBanned || !one.hostile) continue
        untilBan.add(world.answered[one.index] ?? 0)
        const refuted = scheme.refuted?.(one)
        if (refuted === undefined) continue
        refutedUntilBan.add(refuted)
        refutedUntilBanMost = Math.max(refutedUntilBanMost, refuted)
      }
    },
    figures() {
      return {
        runs: runs.estimate(),
        referees: referees.estimate(),
        checks: checks.estimate(),
        wrongAccepted: wilson(wrong, jobs),
        wrongLive: wilson(wrongLive, jobs),
        unresolved: wilson(unresolved, jobs),
        rightWithdrawn: wilson(rightWithdrawn, jobs),
        falseBans: wilson(bans.honest.banned, bans.honest.of),
        burned: wilson(bans.hostile.banned, bans.hostile.of),
        exposure: exposure.estimate(),
        untilBan: untilBan.estimate(),
        refutedUntilBan: refutedUntilBan.estimate(),
        refutedUntilBanMost,
        refereed: wilson(refereed, jobs),
        flakyPrecision: wilson(flaky.rightly, flaky.called),
        flakyRecall: wilson(flaky.rightly, flaky.there),
      }
    },
  }
}
