import { isFor } from '../../src/attest/audit/seats.ts'
import type { CloseDocument, RosterDocument, TaskDocument } from '../../src/attest/documents.ts'
import { attestationId } from '../../src/attest/dsse.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import {
  acrossJobs,
  answerOf,
  type Cast,
  type Decision,
  decide,
  type Role,
  type Rules,
} from '../../src/consensus/decide.ts'
import { chance, nextSeats, ranked } from '../../src/consensus/draw.ts'
import { platformOf } from '../../src/consensus/platform.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import type { LogMaker } from './log-maker.ts'
import type { Answered, Candidate } from './log-parts.ts'
import { answerFrom, ring } from './log-people.ts'

export interface Seated {
  readonly answers: Answered[]
  readonly seats: CloseDocument['seats']
  readonly decision: Decision
}

/** Gives out the seats of one drawn job, as they are asked for, to volunteers of whom some are not there and some lie. */
export async function fillSeats(
  maker: LogMaker,
  number: number,
  task: TaskDocument,
  { members }: RosterDocument,
  draw: NonNullable<CloseDocument['draw']>,
  rules: Rules,
): Promise<Seated> {
  const { options, tampering, book } = maker
  const all = ranked(members, draw.seed)
  const order = tampering.candidates?.(all, number) ?? all
  const lies = maker.random(1_000) < options.lies && number >= options.sleeps
  const wobbles = maker.random(1_000) < options.wobbles
  const liars = ring.slice(0, options.ring)
  const casts: Cast[] = []
  const answers: Answered[] = []
  const seats: CloseDocument['seats'] = []
  const sitting: Candidate[] = []

  const answer = async (member: Candidate, role: Role) => {
    const { volunteer, operator, weight } = member
    const liar = wobbles ? maker.random(2) === 0 : lies && liars.includes(volunteer)
    const { envelope, rawData } = await answerFrom(volunteer, task.job, liar)
    const logIndex = maker.appendRaw('raw', envelope, task.job)
    const ballot = ballotOf(rawData)
    const attestation = attestationId(envelope)
    const across = sha256(answerOf(acrossJobs(ballot)))
    casts.push({ volunteer, ballot, role, cluster: operator, weight })
    answers.push({ attestation, volunteer, role, operator, weight, logIndex, envelope, rawData })
    seats.push({
      volunteer,
      role,
      operator,
      weight,
      end: 'submitted',
      attestation,
      answer: task.repeats === undefined ? sha256(answerOf(ballot)) : across,
      across,
      intake: ballot.sections.intake ?? '',
    })
    sitting.push(member)
  }

  const candidatesFor = (role: Role) =>
    order.filter(
      one =>
        isFor(task, role, one) &&
        platformOf(one, task.job.profile) === draw.platform &&
        book.member(one.volunteer)?.banned === undefined,
    )

  const isDismissed = ({ volunteer, referee }: Candidate) => referee && !book.isReferee(volunteer)

  if (task.repeats === undefined && chance(draw.seed, task.salt, 'shadow', 300)) {
    const [shadow] = nextSeats(candidatesFor('shadow'), sitting, new Set(), 1)
    if (shadow) await answer(shadow, 'shadow')
  }
  let decision = decide(casts, rules)
  while (decision.kind === 'wait') {
    const { role, seats: wanted } = decision
    const candidates = candidatesFor(role)
    const turns = nextSeats(candidates, sitting, new Set(draw.passed), wanted)
    const gone = turns.filter(isDismissed)
    draw.passed.push(...gone.map(({ volunteer }) => volunteer))
    if (gone.length > 0) continue
    const there = candidates.filter(one => !isDismissed(one))
    const again = turns.length === 0 ? nextSeats(there, sitting, new Set(), wanted) : turns
    const member = again[maker.random(Math.max(1, again.length))]
    if (!member) break
    const fate = turns.length === 0 ? 99 : maker.random(100)
    if (fate < 10) draw.passed.push(member.volunteer)
    else if (fate < 13) {
      const { volunteer, operator, weight } = member
      seats.push({ volunteer, role, operator, weight, end: 'deadline' })
      draw.passed.push(volunteer)
    } else await answer(member, role)
    decision = decide(casts, rules)
  }
  return { answers, seats, decision }
}
