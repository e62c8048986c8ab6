import type { Answer, Closed } from '../../consensus/consequences.ts'
import { type Decision, decide } from '../../consensus/decide.ts'
import { messageOf } from '../../errors.ts'
import type { CloseDocument, TaskDocument } from '../documents.ts'

/** The answers of a closed job in the order of its seats, as the book settles them. */
export function closedOf(close: CloseDocument, task: Pick<TaskDocument, 'repeats'>): Closed {
  const { job, outcome, seats, accepted, rules } = close
  const answers = seats.flatMap(({ volunteer, role, answer, across = '', intake = '' }): Answer[] =>
    answer === undefined ? [] : [{ volunteer, role, answer, across, intake }],
  )
  return { job, outcome, answers, accepted, quorum: rules.quorum, repeats: task.repeats }
}

/**
 * What follows from the answers as a whole. Outcomes of single tests, and which sections differ, are in the raw data only: a
 * job may be unresolved for their sake whatever follows here.
 */
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
 * Those of a job that repeats another one are without what differs from job to job, so that a decision does not follow from
 * them.
 */
export function decisionFaults(
  close: CloseDocument,
  { repeats, trial = false, sample = false }: Pick<TaskDocument, 'repeats' | 'trial' | 'sample'>,
): string[] {
  const { outcome, seats, accepted, report } = close
  for (const { volunteer, end, attestation, answer } of seats)
    if (
      (end === 'submitted') !== (attestation !== undefined) ||
      (attestation === undefined) !== (answer === undefined)
    )
      return [`the seat of ${volunteer} ended as ${end}, which does not fit its answer`]
  if (outcome === 'known' && (repeats === undefined || trial || accepted === undefined))
    return ['its answer is said to be known, but it repeats no other job']
  if (outcome === 'trial' && !(repeats !== undefined && trial))
    return ['it is said to be a trial, but its task is not']
  if (repeats !== undefined)
    return report === undefined ? [] : ['a job that repeats another one has a report']
  let decision: Decision
  try {
    decision = decisionOf(close)
  } catch (error) {
    return [messageOf(error)]
  }
  if (outcome === 'unresolved')
    return accepted === undefined && report === undefined
      ? []
      : ['it ended unresolved, but names an accepted answer or a report']
  if (sample !== (outcome === 'sample'))
    return [`it ended ${outcome}, and its task is ${sample ? '' : 'not '}on a sample`]
  if (sample !== (report === undefined))
    return [sample ? 'a job on a sample has a report' : `it ended ${outcome}, but no report is named`]
  const expected = outcome === 'accepted' || accepted !== undefined ? 'accept' : 'flaky'
  if (decision.kind !== expected)
    return [`it ended ${outcome}, but from the answers follows ${sayOf(decision)}`]
  const agreeing = decision.kind === 'accept' ? decision.agreeing : []
  const isWrong = ({ volunteer, answer }: CloseDocument['seats'][number]) =>
    agreeing.includes(volunteer) && answer !== undefined && answer !== accepted
  if (seats.some(isWrong)) return ['the answer that was accepted is not that of the volunteers who agree']
  return outcome === 'flaky' && accepted !== undefined ? ['it ended flaky, but names an accepted answer'] : []
}

function sayOf(decision: Decision): string {
  if (decision.kind === 'wait') return `a wait for ${decision.seats} more in the role ${decision.role}`
  return decision.kind
}
