import { poll } from './poll.ts'
import type { Scheme } from './scheme.ts'
import { weighedVote, wouldReach } from './weights.ts'
import type { Operator } from './world.ts'

/** Assumed share of saboteurs, and share of runs that are spot checks (7.6). */
const [assumed, spotShare] = [0.2, 0.05]

/**
 * Sarmenta's credibility with spot checks and blacklisting (2.3): after k passed checks an error is f / ((1 - f) k e) likely,
 * votes multiply as odds, a job is done at credibility `threshold`; who fails a check is banned.
 */
export function createSarmenta(threshold: number): Scheme {
  const passed = new Map<Operator, number>()
  const banned = new Set<Operator>()
  const weightOf = (operator: Operator) => {
    const checks = passed.get(operator) ?? 0
    const error = checks === 0 ? assumed : Math.min(assumed, assumed / ((1 - assumed) * checks * Math.E))
    return (1 - error) / error
  }
  const trust = 1 / (1 - threshold)
  let typical = 4
  return {
    name: `Sarmenta ${threshold}`,
    join: () => {},
    isBanned: operator => banned.has(operator),
    takeRevisions: () => [],
    settle(job, world, learn) {
      const { votes, decision } = poll(
        job,
        world,
        operator => banned.has(operator),
        held => wouldReach(held, trust, weightOf),
        so => weighedVote(so, trust, weightOf, typical),
      )
      let spots = 0
      for (const { operator } of votes) {
        typical += (weightOf(operator) - typical) / 1000
        if (!world.random.chance(spotShare)) continue
        spots++
        if (!learn) continue
        // Looks like any job; its answer is known.
        const check = world.likeJob(job)
        const [answer] = world.ask(check, [operator], held => wouldReach(held, trust, weightOf))
        if (answer === undefined) continue
        if (answer === check.truth) passed.set(operator, (passed.get(operator) ?? 0) + 1)
        else banned.add(operator)
      }
      const cost = { runs: votes.length, referees: 0, checks: spots }
      return decision === undefined
        ? { verdict: 'unresolved', ...cost }
        : { verdict: 'accept', answer: decision, ...cost }
    },
  }
}
