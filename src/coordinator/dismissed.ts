import type { Book } from '../consensus/book.ts'
import type { Jobs } from './jobs.ts'
import { openRefereeSeats } from './state.ts'

/**
 * Ends the seats of referees that the policy names no more: what they hand in from now on is not taken.
 * Before anybody is served, so that no answer of theirs is logged after the policy.
 */
export async function endSeatsOfDismissed(jobs: Jobs, book: Book): Promise<void> {
  for (const record of [...jobs.unfinished()]) {
    const volunteers = openRefereeSeats(record)
      .map(seat => seat.volunteer)
      .filter(volunteer => !book.isReferee(volunteer))
    if (volunteers.length > 0) await jobs.apply(record.id, { type: 'dismissed', volunteers })
  }
}
