import { type Answer, type Closed } from '../../consensus/consequences.ts'
import { type Decision, decide } from '../../consensus/decide.ts'
import { messageOf } from '../../errors.ts'
import type { CloseDocument } from '../documents.ts'

/** The answers of a closed job in the order of its seats, as the book settles them. */
export function closedOf({ job, outcome, seats, accepted }: CloseDocument): Closed {
  const answers = seats.flatMap(({ volunteer, role, answer }): Answer[] =>
    answer === undefined ? [] : [{ volunteer, role, answer }],
  )
  return { job, outcome, answers, accepted }
}

/** What follows from the answers as a whole; outcomes of single tests are in the raw data only. */
export function decisionOf({ seats, rules }: CloseDocument): Decision {
  const casts = seats.flatMap(({ volunteer, role, operator, weight, answer }) =>
    answer === undefined
      ? []
      : [{ volunteer, role, cluster: operator, weight, ballot: { sections: { answer }, tests: {} } }],
  )
  return decide(casts, rules)
}

/**
 * What is wrong with the outcome of a job, given its answers, roles, weights and rules.
 * @param repeats whether it repeats another job: its answers are then without what differs from job to job, so that a decision
 *   does not follow from them
 */
export function decisionFaults(close: CloseDocument, repeats: boolean): string[] {
  const { outcome, seats, accepted, report } = close
  for (const { volunteer, end, attestation, answer } of seats)
    if ((end === 'submitted') !== (attestation !== undefined) || (attestation === undefined) !== (answer === undefined))
      return [`the seat of ${volunteer} ended as ${end}, which does not fit its answer`]
  if (outcome === 'known' && !(repeats && accepted !== undefined))
    return ['its answer is said to be known, but it repeats no other job']
  if (repeats) return report === undefined ? [] : ['a job that repeats another one has a report']
  let decision: Decision
  try {
    decision = decisionOf(close)
  } catch (error) {
    return [messageOf(error)]
  }
  if (outcome === 'accepted') {
    if (decision.kind !== 'accept') return [`it was accepted, but from the answers follows ${sayOf(decision)}`]
    const { agreeing } = decision
    const wrong = seats.some(
      seat => agreeing.includes(seat.volunteer) && seat.answer !== accepted,
    )
    if (wrong) return ['the answer that was accepted is not that of the volunteers who agree']
    return report === undefined ? ['it was accepted, but no report is named'] : []
  }
  if (accepted !== undefined || report !== undefined)
    return [`it ended ${outcome}, but names an accepted answer or a report`]
  if (outcome === 'flaky' && decision.kind !== 'flaky')
    return [`it ended flaky, but from the answers follows ${sayOf(decision)}`]
  if (outcome === 'unresolved' && decision.kind === 'flaky')
    return ['it ended unresolved, but honest runs bear out more than one answer: it is flaky']
  return []
}

function sayOf(decision: Decision): string {
  if (decision.kind === 'wait') return `a wait for ${decision.seats} more in the role ${decision.role}`
  return decision.kind
}
