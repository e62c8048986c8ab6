import { firstWith, poll } from './poll.ts'
import type { Scheme } from './scheme.ts'
import type { Operator } from './world.ts'

/** Replicated valid results in a row from which a host may be trusted alone. */
const trusted = 10

/**
 * BOINC's adaptive replication (2.1; sched_send.cpp, validator.cpp): below ten valid results always a second copy, then a
 * single one with probability 1 - 1/CV. CV grows by replicated valid results only; an invalid one or a timeout resets it.
 */
export function createBoincAdaptive(): Scheme {
  const valid = new Map<Operator, number>()
  const validOf = (operator: Operator) => valid.get(operator) ?? 0
  return {
    name: 'BOINC adaptive',
    join: () => {},
    isBanned: () => false,
    takeRevisions: () => [],
    settle(job, world, learn) {
      let quorum = 2
      const { votes, silent, decision } = poll(
        job,
        world,
        () => false,
        // Pooled, two copies are enough; a single one lies as soon as it is more likely trusted than not.
        held => held.length >= 2 || held.every(operator => validOf(operator) >= trusted),
        so => {
          const [only] = so
          if (only && so.length === 1) {
            const count = validOf(only.operator)
            quorum = count >= trusted && world.random.chance(1 - 1 / count) ? 1 : 2
          }
          const winner = firstWith(so, quorum)
          return winner === undefined ? { seats: 1 } : { decision: winner }
        },
      )
      if (learn) {
        for (const operator of silent) valid.set(operator, 0)
        if (decision !== undefined && votes.length > 1)
          for (const { operator, answer } of votes)
            valid.set(operator, answer === decision ? validOf(operator) + 1 : 0)
      }
      return decision === undefined
        ? { verdict: 'unresolved', runs: votes.length, referees: 0, checks: 0 }
        : { verdict: 'accept', answer: decision, runs: votes.length, referees: 0, checks: 0 }
    },
  }
}
