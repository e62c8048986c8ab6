import type { CloseDocument } from '../attest/documents.ts'
import type { Book } from '../consensus/book.ts'
import { type Answer, type Closed, settleClosed } from '../consensus/consequences.ts'
import { acrossJobs, answerOf, decide } from '../consensus/decide.ts'
import { sha256 } from '../wire/canonical.ts'
import { castsOf, type JobRecord } from './state.ts'

/** Whether this change ends the job for good: its report is signed, or it ends without one. */
export function isClosing(before: JobRecord, after: JobRecord): boolean {
  const ended = after.phase === 'unresolved' || after.phase === 'checked'
  return after.report !== before.report || (ended && before.phase !== after.phase)
}

/**
 * The end of a job as it is logged. Changes the book, so it must be logged in the order of the calls.
 * @param task index of the leaf with the task document
 * @param today whole days since the Unix epoch
 */
export function closeJob(book: Book, record: JobRecord, task: number, today: number): CloseDocument {
  const { id, draw, rules, reason, report } = record
  const casts = castsOf(record)
  const decision = decide(casts, rules)
  const answers: Answer[] = casts.map(({ volunteer, role, ballot }) => {
    const across = sha256(answerOf(acrossJobs(ballot)))
    // The answer to another job is all there is to compare with.
    const answer = record.known ? across : sha256(answerOf(ballot))
    return { volunteer, role, across, answer, intake: ballot.sections.intake ?? '' }
  })
  const agreeing = decision.kind === 'accept' ? decision.agreeing : []
  const outcome = outcomeOf(record)
  const accepted =
    outcome === 'accepted' || outcome === 'sample'
      ? answers.find(one => agreeing.includes(one.volunteer))?.answer
      : outcome === 'known'
        ? record.known?.answer
        : undefined
  const { quorum } = rules
  const closed: Closed = { job: id, outcome, answers, accepted, quorum, repeats: record.known?.of }
  return {
    schema: 'pyti.close/1',
    job: id,
    day: today,
    task,
    ...(draw && {
      draw: {
        roster: draw.roster,
        beacon: draw.beacon,
        seed: draw.seed,
        platform: draw.platform,
        passed: draw.passed,
      },
    }),
    rules,
    outcome,
    ...(reason !== undefined && { reason }),
    seats: record.seats.map(seat => seatEntry(seat, answers)),
    ...(accepted !== undefined && { accepted }),
    ...(report !== undefined && { report }),
    changes: settleClosed(book, closed, today),
  }
}

function outcomeOf({ report, phase, flaky, known, sample }: JobRecord): CloseDocument['outcome'] {
  if (phase === 'checked') return sample ? 'sample' : known?.trial ? 'trial' : 'known'
  if (report === undefined) return 'unresolved'
  return flaky ? 'flaky' : 'accepted'
}

function seatEntry(seat: JobRecord['seats'][number], answers: Answer[]): CloseDocument['seats'][number] {
  const { volunteer, role, operator, weight } = seat
  const entry = { volunteer, role, operator, weight }
  if (seat.state === 'leased') return { ...entry, end: 'job-ended' }
  if (seat.state !== 'submitted') return { ...entry, end: seat.end }
  const said = answers.find(one => one.volunteer === volunteer)
  return {
    ...entry,
    end: 'submitted',
    attestation: seat.submission.attestation,
    ...(said && { answer: said.answer, across: said.across, intake: said.intake }),
  }
}
