import type { RosterMember } from '../attest/documents.ts'
import type { Clock } from '../clock.ts'
import type { Role } from '../consensus/decide.ts'
import { nextSeats, ranked } from '../consensus/draw.ts'
import type { CoordinatorConfig } from './config.ts'
import { platformOf, type Roster } from './roster.ts'
import { hasPlace, isOccupied, type JobRecord, type SeatTaker, shadowsWanted } from './state.ts'
import type { Trust } from './trust.ts'

export interface OffersOptions {
  trust: Trust
  roster: Roster
  clock: Clock
  config: CoordinatorConfig
}

/** Whose turn it is in drawn jobs: computed from the roster and the seed, so that nothing is chosen here. */
export interface Offers {
  /** The seat a volunteer may take in this job now, if it is its turn. */
  seatFor(record: JobRecord, volunteer: string): SeatTaker | undefined
  /** Those whose turn it is and who are not there, cannot do it, or let it wait too long. */
  absent(record: JobRecord): string[]
  /** Forgets a job. */
  forget(job: string): void
}

export function createOffers({ trust, roster, clock, config }: OffersOptions): Offers {
  /** Job -> its candidates by rank. */
  const orders = new Map<string, RosterMember[]>()
  /** `JOB VOLUNTEER` -> since when it is that volunteer's turn. */
  const since = new Map<string, number>()

  const orderOf = (record: JobRecord): RosterMember[] => {
    const known = orders.get(record.id)
    if (known) return known
    const { draw } = record
    const order = draw ? ranked(trust.rosterAt(draw.roster).members, draw.seed) : []
    orders.set(record.id, order)
    return order
  }

  const turns = (record: JobRecord, role: Role): RosterMember[] => {
    const { draw } = record
    if (!draw || !hasPlace(record, role)) return []
    const wanted = role === 'shadow' ? shadowsWanted(record) : record.wanted
    const order = orderOf(record)
    const taken = record.seats
      .filter(isOccupied)
      .map(({ volunteer }) => order.find(one => one.volunteer === volunteer) ?? { volunteer, tags: [] })
    const candidates = order.filter(
      one => isFor(record, role, one) && trust.book.member(one.volunteer)?.banned === undefined,
    )
    const first = nextSeats(candidates, taken, new Set(draw.passed), wanted)
    // When all had their turn, those who were not there may come back.
    return first.length < wanted
      ? [...first, ...nextSeats(candidates, [...taken, ...first], new Set(), wanted - first.length)]
      : first
  }

  return {
    seatFor(record, volunteer) {
      const introduction = roster.get(volunteer)
      const platform = introduction && platformOf(introduction, record.job.profile)
      if (platform === undefined) return undefined
      for (const role of [record.wantedRole, 'shadow'] as const) {
        const member = turns(record, role).find(one => one.volunteer === volunteer)
        if (member) return { volunteer, role, operator: member.operator, weight: member.weight, platform }
      }
      return undefined
    },
    absent(record) {
      const now = clock.now()
      const passed = new Set(record.draw?.passed)
      return [...turns(record, record.wantedRole), ...turns(record, 'shadow')]
        .map(({ volunteer }) => volunteer)
        .filter(volunteer => {
          if (passed.has(volunteer)) return false
          const introduction = roster.get(volunteer)
          const platform = introduction && platformOf(introduction, record.job.profile)
          if (platform === undefined || (record.platform !== undefined && record.platform !== platform))
            return true
          const key = `${record.id} ${volunteer}`
          const start = since.get(key) ?? now
          since.set(key, start)
          return start + config.passMs <= now
        })
    },
    forget(job) {
      orders.delete(job)
      for (const key of since.keys()) if (key.startsWith(job)) since.delete(key)
    },
  }
}

function isFor({ rules, known }: JobRecord, role: Role, { established, referee }: RosterMember): boolean {
  if (role === 'referee' || known?.trial) return referee
  // Where the answer is known, a newcomer may sit as well: that is how it gets to be checked.
  if (rules.jobClass === 'K') return !referee
  return !referee && (role === 'shadow' ? !established : established)
}
