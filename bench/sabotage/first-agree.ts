import { firstWith, poll } from './poll.ts'
import type { Scheme } from './scheme.ts'

/** BOINC's plain replication: done as soon as `quorum` results are alike, however many others there are (2.1). */
export function createFirstAgree(quorum: number): Scheme {
  return {
    name: `first ${quorum} agree`,
    join: () => {},
    isBanned: () => false,
    takeRevisions: () => [],
    settle(job, world) {
      const { votes, decision } = poll(
        job,
        world,
        () => false,
        held => held.length >= quorum,
        so => {
          const winner = firstWith(so, quorum)
          // A copy is made for each that is missing: all of them at first, then one at a time (2.1).
          return winner === undefined ? { seats: Math.max(1, quorum - so.length) } : { decision: winner }
        },
      )
      return decision === undefined
        ? { verdict: 'unresolved', runs: votes.length, referees: 0, checks: 0 }
        : { verdict: 'accept', answer: decision, runs: votes.length, referees: 0, checks: 0 }
    },
  }
}
