import { aloneTogetherMax, type Change, ringRuns, type Vouched } from '../../consensus/book.ts'
import type { RunResult } from '../../consensus/run-result.ts'

/** A group that may be a ring, and what referees found since. */
export interface Suspected {
  readonly job: string
  /** Of the end of the job that made it suspected. */
  readonly leaf: number
  readonly volunteers: readonly string[]
  /** Referee runs that did not come to its answer. */
  readonly refuted: number
  /** A referee came to it too: the job does not repeat. */
  readonly bornOut: boolean
}

export interface VouchedFor {
  readonly volunteer: string
  readonly as: Vouched
  readonly leaf: number
}

/** What the changes of a log say in words, where that depends on those before them. */
export interface Chronicle {
  /** Takes the changes of the next leaf. @returns a sentence each, without how single answers turned out */
  tell(leaf: number, changes: readonly Change[]): string[]
  suspected(): Suspected[]
  /** Those that somebody vouched for later than when they came. */
  vouched(): VouchedFor[]
}

export const auditWords: Record<RunResult, string> = {
  'borne-out': 'it bears the report out',
  refuted: 'it does not bear the report out',
  'other-intake': 'with other files than the report, as if a release was yanked since; the job is made anew',
}

export function createChronicle(): Chronicle {
  const alone = new Map<string, number>()
  const suspected = new Map<string, Suspected>()
  const vouched: VouchedFor[] = []

  const tellOne = (leaf: number, change: Change): string[] => {
    switch (change.type) {
      case 'joined':
        return [`${change.volunteer} came, operated by ${change.operator}`]
      case 'vouched': {
        const { volunteer, as } = change
        vouched.push({ volunteer, as, leaf })
        return [`the coordinator vouches for ${volunteer} as ${as}`]
      }
      case 'answered':
        return []
      case 'graduated':
        return [`the answers of ${change.volunteer} count`]
      case 'banned':
        return [`${change.volunteer} is banned (${change.why})`]
      case 'alike': {
        const times = (alone.get(change.pair.join()) ?? 0) + 1
        alone.set(change.pair.join(), times)
        const what = `${change.pair.join(' and ')} gave one answer that nobody else bore out`
        return [
          times < aloneTogetherMax
            ? `${what}, ${times} of ${aloneTogetherMax} times`
            : `${what}, for the last time: they do not sit in one job again`,
        ]
      }
      case 'suspected': {
        const { job, volunteers } = change
        suspected.set(job, { job, leaf, volunteers, refuted: 0, bornOut: false })
        return [
          `suspected of being a ring, unless job ${job} does not repeat, which up to ${ringRuns} referee runs look into: ${volunteers.join(', ')}`,
        ]
      }
      case 'tried': {
        const { job, result } = change
        const before = suspected.get(job)
        const refuted = (before?.refuted ?? 0) + (result === 'refuted' ? 1 : 0)
        if (before) suspected.set(job, { ...before, refuted, bornOut: result === 'borne-out' })
        const words = {
          'borne-out': `a referee came to the suspected answer to job ${job} too: it does not repeat, and nobody is suspected any more`,
          refuted: `a referee did not come to the suspected answer to job ${job}: run ${refuted} of ${ringRuns}`,
          'other-intake': `a referee was given other files for job ${job}, so nobody can say any more, and nobody is suspected`,
          unresolved: `no referee could run job ${job} again this time`,
        }
        return [words[result]]
      }
      case 'rests-on':
        return [`its report rests on ${change.winners.join(', ')}`]
      case 'audited':
        return [`a referee ran job ${change.job} again: ${auditWords[change.result]}`]
      case 'withdrawn':
        return [`the report of job ${change.job} does not hold any longer`]
    }
  }

  return {
    tell: (leaf, changes) => changes.flatMap(change => tellOne(leaf, change)),
    suspected: () => [...suspected.values()],
    vouched: () => vouched,
  }
}
