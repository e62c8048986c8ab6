import type { Next, Vote } from './poll.ts'
import { maxVotes } from './poll.ts'
import type { Answer, Operator } from './world.ts'

/** Odds of each answer: the product of its voters' (2.2, 2.3). */
function oddsOf(votes: readonly Vote[], weightOf: (operator: Operator) => number): Map<Answer, number> {
  const odds = new Map<Answer, number>()
  for (const { operator, answer } of votes) odds.set(answer, (odds.get(answer) ?? 1) * weightOf(operator))
  return odds
}

/** Whether odds W against a total of 1 + the sum of all W reach credibility 1 - 1/T. */
const reaches = (own: number, all: number, trust: number) => own * trust > (1 + all) * (trust - 1)

/**
 * Accepts the answer that reaches credibility 1 - 1/T; asks for as many voters as could reach it at best, if each had
 * `typical` weight and agreed with the leader (iexec-core's early stop).
 */
export function weighedVote(
  votes: readonly Vote[],
  trust: number,
  weightOf: (operator: Operator) => number,
  typical: number,
): Next {
  const odds = oddsOf(votes, weightOf)
  let [leader, best, all] = ['', 1, 0]
  for (const [answer, own] of odds) {
    all += own
    if (own > best || leader === '') [leader, best] = [answer, own]
  }
  if (leader !== '' && reaches(best, all, trust)) return { decision: leader }
  const others = leader === '' ? 0 : all - best
  let seats = 1
  for (let own = best * typical; !reaches(own, others + own, trust) && seats < maxVotes; own *= typical)
    seats++
  return { seats }
}

/** Whether these alone, unanimous, reach it. */
export function wouldReach(
  held: readonly Operator[],
  trust: number,
  weightOf: (one: Operator) => number,
): boolean {
  const own = held.reduce((product, operator) => product * weightOf(operator), 1)
  return reaches(own, own, trust)
}
