import { type Book, ringRuns } from '../../src/consensus/book.ts'
import type { Closed } from '../../src/consensus/consequences.ts'
import { answerOfRun } from './trial.ts'
import type { Job, World } from './world.ts'

/** Referee runs of one suspected job that are under way together, as the coordinator has it. */
const atOnce = 5

/**
 * Referees run a job again whose dissenters may be a ring, until one bears them out or all that are needed have not.
 * @returns runs
 */
export function tryRing(
  { id, job }: { id: string; job: Job },
  { book, world, referees }: { book: Book; world: World; referees: readonly string[] },
  settle: (closed: Closed) => void,
): number {
  let runs = 0
  for (let suspicion = book.suspicion(id); suspicion; suspicion = book.suspicion(id)) {
    const wanted = Math.min(atOnce, ringRuns - suspicion.refuted)
    for (let count = 0; count < wanted; count++) {
      const volunteer = referees[world.random.below(referees.length)] ?? ''
      const answer = answerOfRun(world.honest(job))
      settle({
        job: `${id} trial ${runs++}`,
        outcome: 'trial',
        answers: [{ volunteer, role: 'referee', answer, across: answer }],
        quorum: 1,
        accepted: undefined,
        repeats: id,
      })
    }
  }
  return runs
}
