import { Book, type Change } from '../../src/consensus/book.ts'
import { classes, type JobClass, rulesOf } from '../../src/consensus/classes.ts'
import { type Closed, graduate, settleClosed } from '../../src/consensus/consequences.ts'
import { chance, extraSeats, seedOf } from '../../src/consensus/draw.ts'
import type { Scheme } from './scheme.ts'
import { type Bench, Trial } from './trial.ts'
import type { Job, Operator, World } from './world.ts'

/** Per mille of jobs, as the coordinator has them: a known-answer run beside it, a shadow seat while somebody waits for one. */
const [knownShare, shadowShare] = [30, 300]
/** As the coordinator has it: while reports rest on the banned, the riskiest is run again so much more often than others are audited. */
const riskFactor = 5
/** In each platform class. */
const referees = Array.from({ length: 10 }, (_, index) => `referee-${index}`)

/** PyTI: every draw, decision and consequence comes from src/consensus; only what operators answer is simulated. */
export function createOurs(jobClass: JobClass): Scheme {
  const book = new Book()
  for (const volunteer of referees)
    book.apply({ type: 'joined', volunteer, operator: volunteer, network: '', vouched: 'referee' }, 0)
  /** Whose answers do not count, or not any more. */
  let waiting: Operator[] = []
  let withdrawn: number[] = []
  /** Accepted and live, for whoever looks at them again. */
  const live = new Map<string, Trial>()

  const note = (changes: readonly Change[]) => {
    for (const change of changes) if (change.type === 'withdrawn') takeBack(change.job)
  }
  const takeBack = (id: string) => {
    live.delete(id)
    withdrawn.push(Number(id))
  }
  const settleFor = (closed: Closed, day: number) => note(settleClosed(book, closed, day))

  const open = (job: Job, world: World, shadow?: Operator): Trial => {
    const bench: Bench = { world, book, referees, quorum: classes[jobClass].quorum }
    const seed = seedOf(String(world.random.next()), String(job.index))
    const salt = String(world.random.next())
    const actual = job.known ? 'K' : jobClass
    const { extra, referee } = classes[actual]
    const rules = rulesOf(actual, {
      extra: extraSeats(seed, salt, extra),
      spotReferees: chance(seed, salt, 'referee', referee) ? 1 : 0,
      referees: referees.length,
    })
    const trial = new Trial(job, seed, rules, bench)
    if (job.known) trial.runKnown()
    else trial.run(shadow)
    return trial
  }

  /** A referee runs an accepted job again. @returns runs */
  const audit = (trial: Trial, day: number): number => {
    const before = trial.accepted
    const runs = trial.audit()
    const id = String(trial.job.index)
    book.audited(id)
    if (trial.accepted === before) return runs
    note([withdraw(id, day)])
    settleFor(trial.closed(), day)
    if (trial.accepted !== undefined) live.set(id, trial)
    return runs
  }
  const withdraw = (job: string, day: number): Change => {
    const change: Change = { type: 'withdrawn', job }
    book.apply(change, day)
    return change
  }

  return {
    name: `ours ${jobClass}`,
    join(operator, day, founder) {
      const { id, cluster } = operator
      const vouched = founder ? ('founder' as const) : undefined
      book.apply({ type: 'joined', volunteer: id, operator: id, network: cluster, vouched }, day)
      if (!founder) waiting.push(operator)
    },
    isBanned,
    counts({ id }, day) {
      const member = book.member(id)
      return member !== undefined && book.isEstablished(member, day)
    },
    takeWithdrawn() {
      const taken = withdrawn
      withdrawn = []
      return taken
    },
    dayEnds(day, { operators }) {
      graduate(book, day)
      // Who lost what it had earned may earn it again.
      waiting = operators.filter(one => {
        const member = book.member(one.id)
        return !one.gone && !isBanned(one) && member !== undefined && !book.isEstablished(member, day)
      })
    },
    settle(job, world, learn) {
      const { random } = world
      let checks = 0
      if (learn && random.chance(knownShare / 1000)) {
        const known = open(world.likeJob(job), world)
        settleFor(known.closedAsKnown(), job.day)
        checks += known.outcome().runs
      }
      const newcomer = random.chance(shadowShare / 1000) ? waiting[random.below(waiting.length)] : undefined
      const shadow = newcomer && world.isHere(newcomer) && !isBanned(newcomer) ? newcomer : undefined
      const trial = open(job, world, shadow)
      const outcome = trial.outcome()
      checks += outcome.checks
      if (!learn) return { ...outcome, checks }
      settleFor(trial.closed(), job.day)
      let again = 0
      if (trial.accepted !== undefined) {
        live.set(String(job.index), trial)
        if (random.chance(classes[jobClass].audit / 1000)) again += audit(trial, job.day)
      }
      const risky = random.chance((classes[jobClass].audit * riskFactor) / 1000) ? book.riskiest() : undefined
      const old = risky === undefined ? undefined : live.get(risky)
      if (old) again += audit(old, job.day)
      return { ...outcome, runs: outcome.runs + again, referees: outcome.referees + again, checks }
    },
  }

  function isBanned({ id }: Operator): boolean {
    return book.member(id)?.banned !== undefined
  }
}
