import { Book } from '../../src/consensus/book.ts'
import { classes, type JobClass, riskFactor, rulesOf, shadowPerMille } from '../../src/consensus/classes.ts'
import { type Closed, graduate, inDoubt, settleClosed } from '../../src/consensus/consequences.ts'
import { chance, extraSeats, seedOf } from '../../src/consensus/draw.ts'
import { tryAnswer, tryRing } from './referee-trials.ts'
import type { Outcome, Revision, Scheme } from './scheme.ts'
import { Trial } from './trial.ts'
import type { Job, Operator, World } from './world.ts'

/** Per mille of agreed jobs that one volunteer runs again as a known one: the coordinator's default. */
const knownPerMille = 30
/** In each platform class. */
const referees = Array.from({ length: 10 }, (_, index) => `referee-${index}`)

/** What volunteers are asked: a job, or one of the past again. */
interface Task {
  readonly id: string
  readonly job: Job
  readonly jobClass: JobClass
}

/**
 * PyTI: every decision and consequence comes from src/consensus; only what operators answer is simulated. As with the
 * coordinator, a job whose report is in doubt is made again by volunteers drawn anew.
 */
export function createOurs(firstClass: JobClass): Scheme {
  const book = new Book()
  for (const volunteer of referees)
    book.apply({ type: 'joined', volunteer, operator: volunteer, network: '', vouched: 'referee' }, 0)
  /** Whose answers do not count, or not any more. */
  let waiting: Operator[] = []
  let revisions: Revision[] = []
  /** Jobs with a report, by the id of their task. */
  const reported = new Map<string, Job>()
  /** Job -> the task whose report holds. */
  const current = new Map<number, string>()
  const again: Job[] = []
  let [repeats, day] = [0, 0]
  /** @param known the class volunteers take a known job for, and who ran it already */
  const open = (
    { id, job, jobClass }: Task,
    world: World,
    known: { taken: JobClass; without: readonly Operator[] } = { taken: jobClass, without: [] },
  ): Trial => {
    const seed = seedOf(String(world.random.next()), id)
    const salt = String(world.random.next())
    const { extra, referee } = classes[jobClass]
    const rules = rulesOf(jobClass, {
      extra: extraSeats(seed, salt, extra),
      spotReferees: chance(seed, salt, 'referee', referee) ? 1 : 0,
      referees: referees.length,
    })
    const { taken, without } = known
    return new Trial(
      { id, job, seed, rules, without },
      { world, book, referees, quorum: classes[taken].quorum },
    )
  }

  const settleFor = (closed: Closed) => {
    for (const doubt of inDoubt(book, settleClosed(book, closed, day))) follow(doubt)
  }

  const follow = ({ job: id, withdraw }: { job: string; withdraw: boolean }) => {
    const job = reported.get(id)
    if (!job) return
    again.push(job)
    if (!withdraw || current.get(job.index) !== id) return
    current.delete(job.index)
    revisions.push({ job, made: 'withdrawn' })
  }

  /** One volunteer runs an agreed job before its report is out. @returns runs */
  const check = ({ id, job, jobClass }: Task, trial: Trial, world: World): number => {
    const { accepted } = trial
    if (accepted === undefined || !world.random.chance(knownPerMille / 1000)) return 0
    const again = { id: `${id} known`, job: world.again(job, job.repeated), jobClass: 'K' as const }
    const known = open(again, world, { taken: jobClass, without: trial.seated })
    known.runKnown()
    settleFor(known.closedAsKnown(accepted))
    return known.outcome().runs
  }

  /** A referee runs this job again, or one whose report rests on somebody who was banned. @returns runs */
  const audit = ({ id, jobClass }: Task, world: World): number => {
    const due = (perMille: number) => world.random.chance(perMille / 1000)
    const chance = classes[jobClass].audit
    const jobs = [due(chance) ? id : undefined, due(chance * riskFactor) ? book.riskiest() : undefined]
    return jobs.reduce((runs, one) => {
      const job = one === undefined || !book.report(one) ? undefined : reported.get(one)
      return one && job ? runs + tryAnswer({ id: one, job }, { book, world, referees }, settleFor) : runs
    }, 0)
  }

  /** A task from its draw to all that follows from its end. */
  const make = (task: Task, world: World): Outcome => {
    const { id, job } = task
    const newcomer = world.random.chance(shadowPerMille / 1000)
      ? waiting[world.random.below(waiting.length)]
      : undefined
    const trial = open(task, world)
    trial.run(newcomer && world.isHere(newcomer) && !isBanned(newcomer) ? newcomer : undefined)
    const outcome = trial.outcome()
    const checks = outcome.checks + check(task, trial, world)
    if (outcome.verdict !== 'unresolved') {
      reported.set(id, job)
      current.set(job.index, id)
    }
    settleFor(trial.closed())
    const tried = tryRing(task, { book, world, referees }, settleFor) + audit(task, world)
    return { ...outcome, runs: outcome.runs + tried, referees: outcome.referees + tried, checks }
  }

  /** Jobs whose reports are in doubt, until there are none. */
  const makeAgain = (world: World): Outcome[] => {
    const outcomes: Outcome[] = []
    for (let job = again.shift(); job; job = again.shift()) {
      const id = `${job.index} again ${repeats++}`
      const repeated = world.again(job, true)
      const place = revisions.length
      const outcome = make({ id, job: repeated, jobClass: firstClass }, world)
      outcomes.push(outcome)
      const { verdict, answer } = outcome
      // What follows from it follows it.
      if (verdict !== 'unresolved') revisions.splice(place, 0, { job: repeated, made: { verdict, answer } })
    }
    return outcomes
  }

  return {
    name: `ours ${firstClass}`,
    join(operator, today, founder) {
      const { id, cluster } = operator
      const vouched = founder ? ('founder' as const) : undefined
      book.apply({ type: 'joined', volunteer: id, operator: id, network: cluster, vouched }, today)
      if (!founder) waiting.push(operator)
    },
    isBanned,
    refuted: ({ id }) => book.member(id)?.strikes ?? 0,
    counts({ id }, today) {
      const member = book.member(id)
      return member !== undefined && book.isEstablished(member, today)
    },
    takeRevisions() {
      const taken = revisions
      revisions = []
      return taken
    },
    dayEnds(today, { operators }) {
      graduate(book, today)
      // Who lost what it had earned may earn it again.
      waiting = operators.filter(one => {
        const member = book.member(one.id)
        return !one.gone && !isBanned(one) && member !== undefined && !book.isEstablished(member, today)
      })
    },
    settle(job, world, learn) {
      day = job.day
      const task = { id: String(job.index), job, jobClass: firstClass }
      if (!learn) {
        const trial = open(task, world)
        trial.run()
        return trial.outcome()
      }
      const outcome = make(task, world)
      const others = makeAgain(world)
      const sum = (of: (one: Outcome) => number) => others.reduce((all, one) => all + of(one), of(outcome))
      return {
        ...outcome,
        runs: sum(one => one.runs),
        referees: sum(one => one.referees),
        checks: sum(one => one.checks),
      }
    },
  }

  function isBanned({ id }: Operator): boolean {
    return book.member(id)?.banned !== undefined
  }
}
