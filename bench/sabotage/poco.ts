import { poll } from './poll.ts'
import type { Scheme } from './scheme.ts'
import { weighedVote, wouldReach } from './weights.ts'
import type { Operator } from './world.ts'

/**
 * iExec's proof of contribution (2.2; IexecPoco2Facet): weight max(floor(score / 3), 3) - 1, an answer is accepted at
 * credibility above 1 - 1/T; the score grows by 1 in a consensus of two or more, and shrinks to 2/3 when wrong or not revealed.
 */
export function createPoco(trust: number): Scheme {
  const scores = new Map<Operator, number>()
  const scoreOf = (operator: Operator) => scores.get(operator) ?? 0
  const weightOf = (operator: Operator) => Math.max(Math.floor(scoreOf(operator) / 3), 3) - 1
  const punish = (operator: Operator) => scores.set(operator, Math.floor((scoreOf(operator) * 2) / 3))
  let typical = 2
  return {
    name: `PoCo T=${trust.toLocaleString('en')}`,
    join: () => {},
    isBanned: () => false,
    takeRevisions: () => [],
    settle(job, world, learn) {
      const { votes, silent, decision } = poll(
        job,
        world,
        () => false,
        held => wouldReach(held, trust, weightOf),
        so => weighedVote(so, trust, weightOf, typical),
      )
      for (const { operator } of votes) typical += (Math.max(2, weightOf(operator)) - typical) / 1000
      if (learn) {
        for (const operator of silent) punish(operator)
        if (decision !== undefined)
          for (const { operator, answer } of votes)
            if (answer !== decision) punish(operator)
            else if (votes.length >= 2) scores.set(operator, scoreOf(operator) + 1)
      }
      return decision === undefined
        ? { verdict: 'unresolved', runs: votes.length, referees: 0, checks: 0 }
        : { verdict: 'accept', answer: decision, runs: votes.length, referees: 0, checks: 0 }
    },
  }
}
