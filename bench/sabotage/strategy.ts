import type { Random } from './random.ts'
import type { Answer, Job, Operator } from './world.ts'

export type StrategyName = 'A1' | 'A2' | 'A2c' | 'A3' | 'A4' | 'A5' | 'A6' | 'A6p'

/** How the hostile share behaves (7.1). */
export interface Strategy {
  readonly name: StrategyName
  readonly title: string
  /** Whether the whole ring lies in this job, given the seats it holds in it. */
  lies(job: Job, held: readonly Operator[], alone: (held: readonly Operator[]) => boolean): boolean
  /** Whether this one lies by itself, whatever the ring does. */
  liesAlone(operator: Operator): boolean
  /** Whether this run gives a wrong answer like no other. */
  isFaulty(operator: Operator, job: Job, random: Random): boolean
  question(random: Random): { truth: Answer; lie: Answer }
  /** What it lies with is what was published of an earlier job on the file. */
  readonly copies?: boolean
}

const never = () => false
const plain = () => ({ truth: 'truth', lie: 'lie' })

/** Four days of every forty, each at its own time, a machine of A1 gets a fifth of its runs wrong. */
const isBadDay = ({ index }: Operator, { day }: Job) => (day + index * 7) % 40 < 4

/** 80 % of the jobs have the common answer, which the lazy always give (T6). */
const commonShare = 0.8

export const strategies: Record<StrategyName, Strategy> = {
  A1: {
    name: 'A1',
    title: 'faulty machines',
    lies: never,
    liesAlone: never,
    isFaulty: (operator, job, random) => isBadDay(operator, job) && random.chance(0.2),
    question: plain,
  },
  A2: {
    name: 'A2',
    title: 'lazy: always the common answer',
    lies: () => true,
    isFaulty: never,
    liesAlone: never,
    question: random => ({ truth: random.chance(commonShare) ? 'common' : 'rare', lie: 'common' }),
  },
  A2c: {
    name: 'A2c',
    title: 'copies published evidence',
    copies: true,
    lies: job => job.repeated,
    isFaulty: never,
    liesAlone: never,
    question: plain,
  },
  A3: {
    name: 'A3',
    title: 'ring lies always',
    lies: () => true,
    liesAlone: never,
    isFaulty: never,
    question: plain,
  },
  A4: {
    name: 'A4',
    title: 'sleepers, one target',
    lies: job => job.target,
    liesAlone: never,
    isFaulty: never,
    question: plain,
  },
  A5: {
    name: 'A5',
    title: 'stealth ring',
    lies: (_, held, alone) => alone(held),
    isFaulty: never,
    liesAlone: never,
    question: plain,
  },
  A6: {
    name: 'A6',
    title: 'swarm in 20 clusters, lies at once',
    // The fresh ones lie always; the established accomplices join in as soon as they might decide.
    lies: (_, held, alone) => alone(held),
    liesAlone: ({ cluster }) => cluster.startsWith('swarm'),
    isFaulty: never,
    question: plain,
  },
  A6p: {
    name: 'A6p',
    title: 'patient swarm, every id its own cluster',
    lies: (_, held, alone) => alone(held),
    isFaulty: never,
    liesAlone: never,
    question: plain,
  },
}
