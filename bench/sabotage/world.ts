import type { Random } from './random.ts'
import type { Strategy } from './strategy.ts'

/** What a run says: the true answer, a flaky package's other one, the ring's, or a fault of its own (`fault-N`). */
export type Answer = string

export interface Operator {
  readonly index: number
  readonly id: string
  readonly cluster: string
  readonly hostile: boolean
  /** Present from the first day, or joined later. */
  readonly founder: boolean
  gone: boolean
}

export interface Job {
  readonly index: number
  readonly day: number
  readonly flaky: boolean
  readonly truth: Answer
  readonly lie: Answer
  /** What a sleeper waits for. */
  readonly target: boolean
  /** Evidence of an earlier run is public (under another nonce). */
  readonly repeated: boolean
  /** The ring has made up its mind to lie here. */
  lying: boolean
}

export interface WorldOptions {
  operators: number
  /** Share of hostile clusters. */
  hostile: number
  strategy: Strategy
  random: Random
  /** Share of jobs that are flaky, and how often such a job gives its other answer. */
  flaky: number
  alternate: number
  /** Share of honest runs that give a wrong answer like no other. */
  fault: number
  /** Whether operators come and go. */
  churn: boolean
  jobsPerDay: number
}

/** Defaults of 7.6 and 7.7. */
export const modelDefaults = {
  operators: 1000,
  flaky: 0.02,
  alternate: 0.3,
  fault: 0.002,
  churn: true,
  jobsPerDay: 2000,
}

/** Volunteers' machines go at 20 % an hour (7.7) and come back so that 70 % are there; a job takes ten minutes. */
const leavePerHour = 0.2
const returnPerHour = 0.47
const lostRun = leavePerHour / 6
/** Operators who leave for good each week, and fresh ones in their stead. */
const turnoverPerWeek = 0.01

/** The operators, the jobs and what runs answer, on simulated time. */
export class World {
  readonly operators: Operator[] = []
  readonly options: WorldOptions
  readonly random: Random
  /** Called for everybody who joins. */
  onJoin: (operator: Operator, day: number) => void = () => {}
  day = 0
  /** Answers that came back, by operator. */
  readonly answered: number[] = []
  #here: boolean[] = []
  #jobs = 0
  #hour = 0
  #week = 0
  #faults = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.random = options.random
    // Exactly the share that was asked for, as 7.6 has it.
    const hostile = Math.round(options.operators * options.hostile)
    for (let index = 0; index < options.operators; index++) this.#add(index < hostile, `own-${index}`, true)
  }

  get jobs(): number {
    return this.#jobs
  }

  /** The next job, at its time; of targets all have the same, as each is an attack on one frozen state. */
  nextJob(target = false): Job {
    const { random, options } = this
    if (target) this.#shuffle()
    else this.#passTime()
    const { truth, lie } = options.strategy.question(random)
    return {
      index: this.#jobs++,
      day: Math.floor(this.day),
      flaky: random.chance(options.flaky),
      truth,
      lie,
      target,
      repeated: random.chance(0.2),
      lying: false,
    }
  }

  /** A job of the past once more, at the time of now. @param repeated whether evidence of its earlier run is public */
  again(job: Job, repeated: boolean): Job {
    return { ...job, day: Math.floor(this.day), repeated, lying: false }
  }

  /** One more job at the time of `job`, whose answer is known: not flaky, since its maker would not pick such a one. */
  likeJob(job: Job): Job {
    const { truth, lie } = this.options.strategy.question(this.random)
    const repeated = this.random.chance(0.2)
    return { ...job, flaky: false, truth, lie, target: false, repeated, lying: false }
  }

  /** `ids` fresh hostile operators in `clusters` clusters. */
  swarm(ids: number, clusters: number): void {
    for (let index = 0; index < ids; index++) this.#add(true, `swarm-${index % clusters}`, false)
  }

  isHere(operator: Operator): boolean {
    return !operator.gone && this.#here[operator.index] === true
  }

  /** Someone who is here and not refused, uniformly; undefined when nobody is found. */
  pick(refused: (operator: Operator) => boolean): Operator | undefined {
    for (let tries = 0; tries < 20 * this.operators.length; tries++) {
      const operator = this.operators[this.random.below(this.operators.length)]
      if (operator && this.isHere(operator) && !refused(operator)) return operator
    }
    return undefined
  }

  /**
   * Answers of seats that are handed out together, undefined where a run was lost.
   * @param alone whether these, all alike, would decide the job for all that a volunteer can know
   */
  ask(
    job: Job,
    seats: readonly Operator[],
    alone: (held: readonly Operator[]) => boolean,
  ): (Answer | undefined)[] {
    const { strategy, churn } = this.options
    const ring = seats.filter(({ hostile }) => hostile)
    if (ring.length > 0 && !job.lying) job.lying = strategy.lies(job, ring, alone)
    return seats.map(operator => {
      if (churn && this.random.chance(lostRun)) return undefined
      this.answered[operator.index] = (this.answered[operator.index] ?? 0) + 1
      if (!operator.hostile) return this.honest(job)
      if (job.lying || strategy.liesAlone(operator)) return job.lie
      return strategy.isFaulty(operator, job, this.random) ? this.#fault() : this.honest(job)
    })
  }

  /** What an honest run gives. */
  honest(job: Job): Answer {
    if (this.random.chance(this.options.fault)) return this.#fault()
    return job.flaky && this.random.chance(this.options.alternate) ? 'other' : job.truth
  }

  #fault(): Answer {
    return `fault-${this.#faults++}`
  }

  #add(hostile: boolean, cluster: string, founder: boolean): void {
    const index = this.operators.length
    const operator = { index, id: `operator-${index}`, cluster, hostile, founder, gone: false }
    this.operators.push(operator)
    this.#here.push(true)
    this.onJoin(operator, this.day)
  }

  #passTime(): void {
    this.day = this.#jobs / this.options.jobsPerDay
    if (!this.options.churn) return
    for (const hour = Math.floor(this.day * 24); this.#hour < hour; this.#hour++) this.#churn()
    for (const week = Math.floor(this.day / 7); this.#week < week; this.#week++) this.#turnOver()
  }

  /** Who is there changes, and nobody leaves for good. */
  #shuffle(): void {
    if (this.options.churn && this.#jobs % Math.ceil(this.options.jobsPerDay / 24) === 0) this.#churn()
  }

  #churn(): void {
    for (let index = 0; index < this.#here.length; index++)
      this.#here[index] = this.#here[index]
        ? !this.random.chance(leavePerHour)
        : this.random.chance(returnPerHour)
  }

  #turnOver(): void {
    const { operators, hostile } = this.options
    for (let count = Math.round(operators * turnoverPerWeek); count > 0; count--) {
      const leaving = this.pick(() => false)
      if (leaving) leaving.gone = true
      this.#add(this.random.chance(hostile), `own-${this.operators.length}`, false)
    }
  }
}
