import type { Estimate } from './interval.ts'
import { watchPool } from './pool.ts'
import { createRandom, seedFor } from './random.ts'
import type { Scheme } from './scheme.ts'
import { type StrategyName, strategies } from './strategy.ts'
import { createTally } from './tally.ts'
import { modelDefaults, World, type WorldOptions } from './world.ts'

export interface CellOptions {
  makeScheme: () => Scheme
  strategy: StrategyName
  /** Share of hostile clusters, 0 to 1. */
  hostile: number
  /** Jobs of the stream; of sleepers, attacks on frozen states. */
  jobs: number
  seed: number
  /** Sleepers (A4): honest jobs before the attacks. */
  warmUp?: number
  /** Departures from the model, such as `churn: false`. */
  model?: Partial<WorldOptions>
}

/** What one scheme made of one strategy at one share of hostile clusters. */
export interface Cell {
  scheme: string
  strategy: StrategyName
  hostile: number
  jobs: number
  /** Runs per job; shadow seats and hidden checks are in `checks`, as in 7.6. */
  runs: Estimate
  checks: Estimate
  /** Of those, runs of referees. */
  referees: Estimate
  /** Shares of all jobs. */
  wrongAccepted: Estimate
  wrongLive: Estimate
  unresolved: Estimate
  /** Right reports that were taken back. */
  rightWithdrawn: Estimate
  /** Share of honest operators ever admitted that were banned. */
  falseBans: Estimate
  /** Share of the hostile that were banned. */
  burned: Estimate
  /** Mean jobs that a wrong report stayed live, to the end of the stream if it was never withdrawn. */
  exposure: Estimate
  /** Jobs called flaky that are; flaky jobs called so. */
  flakyPrecision: Estimate
  flakyRecall: Estimate
  /** Answers the banned hostile gave up to their ban, and those of them that were refuted. */
  untilBan: Estimate
  refutedUntilBan: Estimate
  /** Most that any of them needed; 0: none was banned, or the scheme does not count. */
  refutedUntilBanMost: number
  /** Share of jobs in which a referee had a part. */
  refereed: Estimate
  /** Largest share of the operators that count that was hostile. */
  hostileCounted: number
  /** By how much that was ever above 1 - (1 - f) / 1.05^weeks since the swarm came (7.3); negative: never. */
  aboveGrowth: number
}

/** The swarm of A6 comes after a tenth of the stream (7.6: 1,000 fresh ids). */
const [swarmIds, swarmClusters, swarmAfter] = [1000, 20, 0.1]
const defaultWarmUp = 20_000

/** Frozen states the sleepers of a cell attack: one alone may have a few more of them than it should. */
const sleeperStates = 5

/** Runs one cell of the grid. The same options give the same figures. */
export function runCell(options: CellOptions): Cell {
  const { strategy, hostile, jobs } = options
  const tally = createTally()
  const states = strategy === 'A4' ? sleeperStates : 1
  const parts = Array.from({ length: states }, (_, state) =>
    simulate({ ...options, jobs: Math.ceil(jobs / states) }, tally, `${strategy} ${hostile} ${state}`),
  )
  return {
    scheme: options.makeScheme().name,
    strategy,
    hostile,
    jobs: Math.ceil(jobs / states) * states,
    ...tally.figures(),
    hostileCounted: Math.max(...parts.map(part => part.hostileCounted)),
    aboveGrowth: Math.max(...parts.map(part => part.aboveGrowth)),
  }
}

function simulate(options: CellOptions, tally: ReturnType<typeof createTally>, name: string) {
  const { strategy, hostile, jobs } = options
  const scheme = options.makeScheme()
  const random = createRandom(seedFor(options.seed, name))
  const plan = strategies[strategy]
  const world = new World({ ...modelDefaults, hostile, strategy: plan, random, ...options.model })
  for (const operator of world.operators) scheme.join(operator, 0, true)
  world.onJoin = (operator, day) => scheme.join(operator, Math.floor(day), false)
  const pool = watchPool(scheme, world)
  const next = () => {
    const job = world.nextJob()
    pool.pass(job)
    return job
  }
  if (strategy === 'A4') {
    for (let count = options.warmUp ?? defaultWarmUp; count > 0; count--)
      tally.addHonest(scheme.settle(next(), world, true))
    for (let count = 0; count < jobs; count++) {
      const job = world.nextJob(true)
      tally.add(job, scheme.settle(job, world, false), [])
    }
  } else
    for (let count = 0; count < jobs; count++) {
      if (strategy.startsWith('A6') && count === Math.floor(jobs * swarmAfter)) {
        pool.swarmComes()
        world.swarm(swarmIds, strategy === 'A6' ? swarmClusters : swarmIds)
      }
      const job = next()
      const outcome = scheme.settle(job, world, true)
      tally.add(job, outcome, scheme.takeRevisions())
    }
  tally.end(world, scheme, strategy === 'A4')
  return pool.figures()
}
