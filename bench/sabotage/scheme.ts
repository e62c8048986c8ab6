import type { Answer, Job, Operator, World } from './world.ts'

/** What a scheme made of one job. */
export interface Outcome {
  verdict: 'accept' | 'flaky' | 'unresolved'
  /** Of an accepted job. */
  answer?: Answer
  /** Runs that came back, those of referees included. */
  runs: number
  referees: number
  /** Runs on top whose answers decide nothing: known answers, spot checks, shadow seats. */
  checks: number
}

/** What became of a report later: taken back, or replaced because the job was made again. */
export interface Revision {
  job: Job
  made: 'withdrawn' | { verdict: 'accept' | 'flaky'; answer?: Answer }
}

/** A way to decide jobs by asking operators to run them; it keeps its own reputation of every operator. */
export interface Scheme {
  readonly name: string
  /** `day`: of the simulation. A founder is known from before its start. */
  join(operator: Operator, day: number, founder: boolean): void
  /** Asks for runs until it decides. Without `learn`, everybody's reputation stays as it is. */
  settle(job: Job, world: World, learn: boolean): Outcome
  isBanned(operator: Operator): boolean
  /** Whether an operator's answers decide anything today; without it: from its first run. */
  counts?(operator: Operator, day: number): boolean
  /** Answers of an operator that were refuted, as far as the scheme knows. */
  refuted?(operator: Operator): number
  /** Changes of earlier reports since the last call, in order. */
  takeRevisions(): readonly Revision[]
  /** Once a simulated day. */
  dayEnds?(day: number, world: World): void
}
