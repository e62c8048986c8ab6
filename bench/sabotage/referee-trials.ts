import { type Book, ringRuns } from '../../src/consensus/book.ts'
import type { Closed } from '../../src/consensus/consequences.ts'
import { answerOfRun } from './trial.ts'
import type { Job, World } from './world.ts'

/** Referee runs of one suspected job that are under way together, as the coordinator has it. */
const atOnce = 5

interface Reported {
  readonly id: string
  readonly job: Job
}

interface Referees {
  readonly book: Book
  readonly world: World
  readonly referees: readonly string[]
}

/** A referee runs a reported job again, and others if it does not bear the report out. @returns runs */
export function tryAnswer(reported: Reported, bench: Referees, settle: (closed: Closed) => void): number {
  settle(refereeRun(reported, 'audit', bench))
  return 1 + tryRing(reported, bench, settle)
}

/**
 * Referees run a job again whose suspects may be a ring, until one bears them out or all that are needed have not.
 * @returns runs
 */
export function tryRing(reported: Reported, bench: Referees, settle: (closed: Closed) => void): number {
  const { book } = bench
  const { id } = reported
  let runs = 0
  for (let suspicion = book.suspicion(id); suspicion; suspicion = book.suspicion(id)) {
    const wanted = Math.min(atOnce, ringRuns - suspicion.refutedBy.length)
    for (let count = 0; count < wanted; count++) settle(refereeRun(reported, `trial ${runs++}`, bench))
  }
  return runs
}

function refereeRun({ id, job }: Reported, name: string, { world, referees }: Referees): Closed {
  const volunteer = referees[world.random.below(referees.length)] ?? ''
  const answer = answerOfRun(world.honest(job))
  return {
    job: `${id} ${name}`,
    outcome: 'trial',
    answers: [{ volunteer, role: 'referee', answer, across: answer, intake: '' }],
    quorum: 1,
    accepted: undefined,
    repeats: id,
  }
}
