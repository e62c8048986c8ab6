import { isFor } from '../attest/audit/seats.ts'
import type { RosterMember } from '../attest/documents.ts'
import type { Clock } from '../clock.ts'
import type { Role } from '../consensus/decide.ts'
import { nextSeats, ranked } from '../consensus/draw.ts'
import { platformOf } from '../consensus/platform.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Roster } from './roster.ts'
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
  /** Whether nobody on the roster could take what is open, here or not. */
  exhausted(record: JobRecord): boolean
  /** Forgets a job. */
  forget(job: string): void
}

export function createOffers({ trust, roster, clock, config }: OffersOptions): Offers {
  /** Job -> its candidates by rank. */
  const orders = new Map<string, RosterMember[]>()
  /** Job -> volunteer -> since when it is that volunteer's turn. */
  const since = new Map<string, Map<string, number>>()

  const orderOf = (record: JobRecord): RosterMember[] => {
    const known = orders.get(record.id)
    if (known) return known
    const { draw } = record
    const order = draw ? ranked(trust.rosterAt(draw.roster).members, draw.seed) : []
    orders.set(record.id, order)
    return order
  }

  /** Whether the policy has named it no more since its roster was made. */
  const isDismissed = ({ volunteer, referee }: RosterMember): boolean =>
    referee && !trust.book.isReferee(volunteer)

  /** Who was dismissed is passed over, on record, like everybody who does not come. */
  const isThere = (record: JobRecord, member: RosterMember): boolean => {
    const introduction = roster.get(member.volunteer)
    return (
      introduction !== undefined &&
      platformOf(introduction, record.job.profile) === record.draw?.platform &&
      !isDismissed(member)
    )
  }

  /** Everybody who may sit in this role at all, by rank, and who sits already. */
  const candidatesFor = (record: JobRecord, role: Role) => {
    const order = orderOf(record)
    const taken = record.seats
      .filter(isOccupied)
      .map(({ volunteer }) => order.find(one => one.volunteer === volunteer) ?? { volunteer, tags: [] })
    const { known, rules } = record
    const seating = { jobClass: rules.jobClass, trial: known?.trial, without: known?.without }
    const candidates = order.filter(
      one =>
        isFor(seating, role, one) &&
        platformOf(one, record.job.profile) === record.draw?.platform &&
        record.seats.filter(seat => seat.volunteer === one.volunteer).length <
          config.maxAttemptsPerVolunteer &&
        trust.book.member(one.volunteer)?.banned === undefined,
    )
    return { candidates, taken }
  }

  const turns = (record: JobRecord, role: Role): RosterMember[] => {
    const { draw } = record
    if (!draw || !hasPlace(record, role)) return []
    const wanted = role === 'shadow' ? shadowsWanted(record) : record.wanted
    const { candidates, taken } = candidatesFor(record, role)
    const first = nextSeats(candidates, taken, new Set(draw.passed), wanted)
    if (first.length === wanted) return first
    // When all had their turn, those who were not there and are now may come back.
    const back = candidates.filter(one => isThere(record, one))
    return [...first, ...nextSeats(back, [...taken, ...first], new Set(), wanted - first.length)]
  }

  return {
    seatFor(record, volunteer) {
      const { draw } = record
      if (!draw) return undefined
      for (const role of [record.wantedRole, 'shadow'] as const) {
        const member = turns(record, role).find(one => one.volunteer === volunteer)
        if (member && isThere(record, member))
          return {
            volunteer,
            role,
            operator: member.operator,
            weight: member.weight,
            platform: draw.platform,
          }
      }
      return undefined
    },
    absent(record) {
      const now = clock.now()
      const passed = new Set(record.draw?.passed)
      const due = [...turns(record, record.wantedRole), ...turns(record, 'shadow')].filter(
        ({ volunteer }) => !passed.has(volunteer),
      )
      const waited = since.get(record.id) ?? new Map<string, number>()
      since.set(record.id, new Map(due.map(({ volunteer }) => [volunteer, waited.get(volunteer) ?? now])))
      return due
        .filter(one => !isThere(record, one) || (waited.get(one.volunteer) ?? now) + config.passMs <= now)
        .map(({ volunteer }) => volunteer)
    },
    exhausted(record) {
      const role = record.wantedRole
      if (!record.draw || record.wanted === 0) return false
      const { candidates, taken } = candidatesFor(record, role)
      const able = candidates.filter(one => !isDismissed(one))
      return nextSeats(able, taken, new Set(), 1).length === 0
    },
    forget(job) {
      orders.delete(job)
      since.delete(job)
    },
  }
}
