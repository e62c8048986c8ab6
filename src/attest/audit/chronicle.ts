import { aloneTogetherMax, type Change, ringRuns, type Vouched } from '../../consensus/book.ts'
import type { RunResult } from '../../consensus/run-result.ts'

/** A group that may be a ring, and what referees found since. */
export interface Suspected {
  readonly job: string
  /** Of the end of the job that made it suspected. */
  readonly leaf: number
  readonly volunteers: readonly string[]
  /** Referee runs that did not come to its answer, and count. */
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
  /** Takes a policy that names these referees no more: their runs count no more where it is still open who is a ring. */
  dismiss(leaf: number, volunteers: readonly string[]): void
  suspected(): Suspected[]
  /** Those that somebody vouched for later than when they came. */
  vouched(): VouchedFor[]
  /** Leaf of the policy that named a referee no more. */
  dismissed(volunteer: string): number | undefined
}

export const auditWords: Record<RunResult, string> = {
  'borne-out': 'it bears the report out',
  refuted: 'it does not bear the report out',
  'other-intake': 'with other files than the report, as if a release was yanked since; the job is made anew',
}

export function createChronicle(): Chronicle {
  const alone = new Map<string, number>()
  const suspected = new Map<string, Suspected>()
  /** Job -> whose runs refuted its suspects, while it is open who is a ring. */
  const refutedBy = new Map<string, string[]>()
  const vouched: VouchedFor[] = []
  const dismissed = new Map<string, number>()

  const tellOne = (leaf: number, change: Change): string[] => {
    switch (change.type) {
      case 'joined':
        return [`${change.volunteer} came, operated by ${change.operator}`]
      case 'vouched': {
        const { volunteer, as } = change
        dismissed.delete(volunteer)
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
        refutedBy.set(job, [])
        return [
          `suspected of being a ring, unless job ${job} does not repeat, which up to ${ringRuns} referee runs look into: ${volunteers.join(', ')}`,
        ]
      }
      case 'tried': {
        const { job, result, referee = '' } = change
        const before = suspected.get(job)
        const runs = [...(refutedBy.get(job) ?? []), ...(result === 'refuted' ? [referee] : [])]
        const refuted = runs.length
        if (before) suspected.set(job, { ...before, refuted, bornOut: result === 'borne-out' })
        if (result === 'borne-out' || result === 'other-intake' || refuted >= ringRuns) refutedBy.delete(job)
        else refutedBy.set(job, runs)
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
    dismiss(leaf, volunteers) {
      for (const volunteer of volunteers) dismissed.set(volunteer, leaf)
      for (const [job, runs] of refutedBy) {
        const left = runs.filter(referee => !volunteers.includes(referee))
        refutedBy.set(job, left)
        const before = suspected.get(job)
        if (before) suspected.set(job, { ...before, refuted: left.length })
      }
    },
    suspected: () => [...suspected.values()],
    vouched: () => vouched,
    dismissed: volunteer => dismissed.get(volunteer),
  }
}
