import type { Ballot } from '../../src/consensus/ballot.ts'
import type { Book } from '../../src/consensus/book.ts'
import { tagsOf } from '../../src/consensus/book.ts'
import type { Closed } from '../../src/consensus/consequences.ts'
import { checksOn, weightOf } from '../../src/consensus/credibility.ts'
import {
  answerOf,
  type Cast,
  type Decision,
  decide,
  type Role,
  type Rules,
} from '../../src/consensus/decide.ts'
import { type Candidate, nextSeats, ranked } from '../../src/consensus/draw.ts'
import type { Outcome } from './scheme.ts'
import type { Answer, Job, Operator, World } from './world.ts'

export interface Bench {
  readonly world: World
  readonly book: Book
  /** Volunteer ids; trusted (7.6), there at any time. */
  readonly referees: readonly string[]
  /** Of the class a volunteer takes the job for. */
  readonly quorum: number
}

interface Seated extends Candidate {
  readonly operator: Operator
}

/** Candidates beyond the seats that are wanted: those whose tags collide are passed over. */
const spare = 3

export interface Task {
  readonly id: string
  readonly job: Job
  /** Of its draw. */
  readonly seed: string
  readonly rules: Rules
  /** Operators that get no seat. */
  readonly without: readonly Operator[]
}

/** One task from its draw to its end. */
export class Trial {
  readonly #task: Task
  readonly #bench: Bench
  #casts: Cast[] = []
  #seated: Seated[] = []
  readonly #asked: Set<Operator>
  #decision: Decision = { kind: 'unresolved', reason: 'not asked yet', sections: [], tests: [] }

  constructor(task: Task, bench: Bench) {
    this.#task = task
    this.#asked = new Set(task.without)
    this.#bench = bench
  }

  /** Asks for what `decide` wants until it decides. */
  run(shadow?: Operator): void {
    for (let waiting = shadow; ; waiting = undefined) {
      this.#decision = decide(this.#casts, this.#task.rules)
      if (this.#decision.kind !== 'wait') return
      const { role, seats } = this.#decision
      const before = this.#casts.length
      if (role === 'referee') this.#askReferees(seats)
      else this.#askVolunteers(role, seats, waiting)
      if (this.#casts.length > before || this.#lost) continue
      this.#decision = { kind: 'unresolved', reason: 'nobody is left to ask', sections: [], tests: [] }
      return
    }
  }

  /** All seats answer, and the job's answer is known beforehand. */
  runKnown(): void {
    while (this.#casts.length < this.#task.rules.seats) {
      const before = this.#casts.length
      this.#askVolunteers('seat', this.#task.rules.seats - before)
      if (this.#casts.length === before && !this.#lost) return
    }
  }

  get seated(): Operator[] {
    return this.#seated.map(({ operator }) => operator)
  }

  get accepted(): Answer | undefined {
    if (this.#decision.kind !== 'accept') return undefined
    const [winner] = this.#decision.agreeing
    return this.#casts.find(({ volunteer }) => volunteer === winner)?.ballot.sections.result
  }

  outcome(): Outcome {
    const { kind } = this.#decision
    const answer = this.accepted
    const of = (role: Role) => this.#casts.filter(cast => cast.role === role).length
    return {
      verdict: kind === 'accept' ? 'accept' : kind === 'flaky' ? 'flaky' : 'unresolved',
      ...(answer !== undefined && { answer }),
      runs: this.#casts.length - of('shadow'),
      referees: of('referee'),
      checks: of('shadow'),
    }
  }

  closed(): Closed {
    const { kind } = this.#decision
    const outcome = kind === 'accept' ? 'accepted' : kind === 'flaky' ? 'flaky' : 'unresolved'
    return this.#closed(outcome, this.accepted)
  }

  closedAsKnown(accepted: Answer): Closed {
    return this.#closed('known', accepted)
  }

  #closed(outcome: Closed['outcome'], accepted: Answer | undefined): Closed {
    const { id, rules } = this.#task
    return {
      job: id,
      outcome,
      answers: this.#casts.map(({ volunteer, role, ballot }) => {
        const answer = answerOf(ballot)
        return { volunteer, role, answer, across: answer, intake: '' }
      }),
      accepted: accepted === undefined ? undefined : answerOfRun(accepted),
      quorum: rules.quorum,
    }
  }

  /** Whether the last round brought nothing because runs were lost, not because nobody is left. */
  #lost = false

  #askVolunteers(role: 'seat' | 'panel', wanted: number, shadow?: Operator): void {
    if (shadow) this.#asked.add(shadow)
    const seats = this.#draw(wanted)
    const { world, book } = this.#bench
    const all = shadow
      ? [...seats.map(({ operator }) => operator), shadow]
      : seats.map(({ operator }) => operator)
    for (const { operator } of seats) this.#asked.add(operator)
    const answers = world.ask(this.#task.job, all, held => this.#wouldDo(held))
    this.#lost = answers.length > 0
    answers.forEach((answer, index) => {
      const operator = all[index]
      if (answer === undefined || !operator) return
      // The coordinator refuses what came for an earlier job (src/coordinator/intake.ts).
      if (world.options.strategy.copies && answer === this.#task.job.lie) return
      const member = book.member(operator.id)
      if (!member) return
      const seat = seats[index]
      if (seat) this.#seated.push(seat)
      this.#casts.push({
        volunteer: operator.id,
        ballot: ballotOf(answer),
        role: seat ? role : 'shadow',
        cluster: operator.cluster,
        weight: weightOf(checksOn(member.standing, this.#task.job.day)),
      })
    })
  }

  #askReferees(wanted: number): void {
    const { world, referees, book } = this.#bench
    const used = new Set(this.#casts.map(({ volunteer }) => volunteer))
    const free = referees.filter(one => !used.has(one))
    this.#lost = false
    for (let count = 0; count < wanted && free.length > 0; count++) {
      const [volunteer] = free.splice(world.random.below(free.length), 1)
      const member = volunteer === undefined ? undefined : book.member(volunteer)
      if (!member) return
      this.#casts.push({
        volunteer: member.volunteer,
        ballot: ballotOf(world.honest(this.#task.job)),
        role: 'referee',
        cluster: member.volunteer,
        weight: weightOf(checksOn(member.standing, this.#task.job.day)),
      })
    }
  }

  /**
   * The real ranking and tag rule over a uniform sample of those who may sit: ranks are hashes, so the best of a sample are
   * drawn like the best of all, at a hundredth of the hashing.
   */
  #draw(wanted: number): Seated[] {
    const { world, book } = this.#bench
    const sample = new Set<Operator>()
    const mayNot = (operator: Operator) => {
      if (this.#asked.has(operator) || sample.has(operator)) return true
      const member = book.member(operator.id)
      return member === undefined || !book.isEstablished(member, this.#task.job.day)
    }
    const candidates: Seated[] = []
    while (candidates.length < wanted + spare) {
      const operator = world.pick(mayNot)
      const member = operator && book.member(operator.id)
      if (!operator || !member) break
      sample.add(operator)
      candidates.push({ volunteer: operator.id, tags: tagsOf(member), operator })
    }
    return nextSeats(ranked(candidates, this.#task.seed), this.#seated, new Set(), wanted)
  }

  /** For all the ring can know: the quorum is public, hidden seats and referees are not. */
  #wouldDo(held: readonly Operator[]): boolean {
    const { book, quorum } = this.#bench
    const counted = held.filter(({ id }) => {
      const member = book.member(id)
      return member !== undefined && book.isEstablished(member, this.#task.job.day)
    })
    return counted.length >= quorum
  }
}

/** What a run says, as consequences compare it; nothing in it depends on the nonce. */
export function answerOfRun(answer: Answer): string {
  return answerOf(ballotOf(answer))
}

const ballots = new Map<Answer, Ballot>()

/** As small as a ballot can be; only the answers many give are kept. */
function ballotOf(answer: Answer): Ballot {
  const known = ballots.get(answer)
  if (known) return known
  const ballot = { sections: { result: answer }, tests: {} }
  if (!answer.startsWith('fault')) ballots.set(answer, ballot)
  return ballot
}
