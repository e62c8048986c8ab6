import { createMean, wilson } from './interval.ts'
import type { Outcome, Scheme } from './scheme.ts'
import type { Job, World } from './world.ts'

/** Counts what becomes of the jobs of one cell. */
export function createTally() {
  const [runs, referees, checks] = [createMean(), createMean(), createMean()]
  /** Accepted and live: whether each is wrong. */
  const live = new Map<number, boolean>()
  let [jobs, wrong, unresolved, rightWithdrawn, refereed, last] = [0, 0, 0, 0, 0, 0]
  const exposure = createMean()
  const untilBan = createMean()
  const bans = { honest: { banned: 0, of: 0 }, hostile: { banned: 0, of: 0 } }
  let wrongLive = 0
  const flaky = { called: 0, rightly: 0, there: 0 }
  const withdraw = (job: number) => {
    const isWrong = live.get(job)
    if (isWrong === undefined) return
    live.delete(job)
    if (isWrong) exposure.add(last - job)
    else rightWithdrawn++
  }
  const addRuns = (outcome: Outcome) => {
    runs.add(outcome.runs)
    referees.add(outcome.referees)
    checks.add(outcome.checks)
  }
  return {
    /** A job before the attacks: sleepers are judged by the cost of honest jobs, as nearly all of theirs are. */
    addHonest: addRuns,
    add(job: Job, outcome: Outcome, withdrawn: readonly number[]) {
      jobs++
      last = job.index
      if (!job.target) addRuns(outcome)
      const isWrong = outcome.answer !== job.truth && !(job.flaky && outcome.answer === 'other')
      if (outcome.verdict === 'accept') {
        live.set(job.index, isWrong)
        if (isWrong) wrong++
      }
      if (outcome.verdict === 'unresolved') unresolved++
      if (outcome.referees > 0) refereed++
      if (job.flaky) flaky.there++
      if (outcome.verdict === 'flaky') {
        flaky.called++
        if (job.flaky) flaky.rightly++
      }
      for (const one of withdrawn) withdraw(one)
    },
    /** The simulation is over, or this one of several; on a `frozen` state nothing is ever withdrawn. */
    end(world: World, scheme: Scheme, frozen: boolean) {
      for (const [job, isWrong] of live) {
        if (!isWrong) continue
        wrongLive++
        if (!frozen) exposure.add(last - job)
      }
      live.clear()
      for (const one of world.operators) {
        const group = one.hostile ? bans.hostile : bans.honest
        const isBanned = scheme.isBanned(one)
        group.of++
        if (isBanned) group.banned++
        if (isBanned && one.hostile) untilBan.add(world.answered[one.index] ?? 0)
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
        refereed: wilson(refereed, jobs),
        flakyPrecision: wilson(flaky.rightly, flaky.called),
        flakyRecall: wilson(flaky.rightly, flaky.there),
      }
    },
  }
}
