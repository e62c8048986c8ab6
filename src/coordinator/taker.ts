import { leastWeight } from '../consensus/credibility.ts'
import { platformOf } from '../consensus/platform.ts'
import type { Introduction } from './roster.ts'
import type { SeatTaker, StoredJob } from './state.ts'

/** A volunteer as it would sit where nobody is weighed. */
export function takerOf(record: StoredJob, volunteer: string, introduction: Introduction): SeatTaker {
  return {
    volunteer,
    role: record.wantedRole,
    operator: introduction.operator,
    weight: leastWeight,
    platform: platformOf(introduction, record.job.profile) ?? '',
  }
}
