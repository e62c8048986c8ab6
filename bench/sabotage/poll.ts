import type { Answer, Job, Operator, World } from './world.ts'

export interface Vote {
  operator: Operator
  answer: Answer
}

export interface Poll {
  votes: Vote[]
  /** Asked, and nothing came back. */
  silent: Operator[]
  decision: Answer | undefined
}

/** More seats are wanted, or it is decided. */
export type Next = { seats: number } | { decision: Answer }

/** Of the anchors: votes at most per job (7.6). */
export const maxVotes = 15

/**
 * Asks uniformly drawn operators until `next` is content or nobody may be asked any more.
 * @param alone as `World.ask` wants it
 */
export function poll(
  job: Job,
  world: World,
  refused: (operator: Operator) => boolean,
  alone: (held: readonly Operator[]) => boolean,
  next: (votes: readonly Vote[]) => Next,
): Poll {
  const asked = new Set<Operator>()
  const votes: Vote[] = []
  const silent: Operator[] = []
  for (;;) {
    const wanted = next(votes)
    if ('decision' in wanted) return { votes, silent, decision: wanted.decision }
    const seats: Operator[] = []
    while (seats.length < Math.min(wanted.seats, maxVotes - votes.length)) {
      const operator = world.pick(one => asked.has(one) || refused(one))
      if (!operator) break
      asked.add(operator)
      seats.push(operator)
    }
    if (seats.length === 0) return { votes, silent, decision: undefined }
    world.ask(job, seats, alone).forEach((answer, index) => {
      const operator = seats[index]
      if (!operator) return
      if (answer === undefined) silent.push(operator)
      else votes.push({ operator, answer })
    })
  }
}

export function countAnswers(votes: readonly Vote[]): Map<Answer, number> {
  const counts = new Map<Answer, number>()
  for (const { answer } of votes) counts.set(answer, (counts.get(answer) ?? 0) + 1)
  return counts
}

/** The first answer that enough voters gave. */
export function firstWith(votes: readonly Vote[], quorum: number): Answer | undefined {
  for (const [answer, count] of countAnswers(votes)) if (count >= quorum) return answer
  return undefined
}
