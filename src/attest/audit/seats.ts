import type { Role } from '../../consensus/decide.ts'
import { ranked } from '../../consensus/draw.ts'
import { platformOf } from '../../consensus/platform.ts'
import type { CloseDocument, RosterMember, TaskDocument } from '../documents.ts'

/** What of a job's task says who may sit in it. */
export type Seating = Pick<TaskDocument, 'jobClass' | 'trial' | 'without'>
type Task = Seating & Pick<TaskDocument, 'job'>

/**
 * Who may sit in a role: referees by themselves and in trials, newcomers in the shadow and where the answer is known, everybody
 * else in seats and panels.
 */
export function isFor(
  { jobClass, trial, without = [] }: Seating,
  role: Role,
  { established, referee, operator }: RosterMember,
): boolean {
  if (role === 'referee' || trial) return referee
  // Whoever ran the job, or has a machine beside one that did, would recognise the file.
  if (jobClass === 'K') return !referee && !without.includes(operator)
  return !referee && (role === 'shadow' ? !established : established)
}

/** Those that could be drawn for the platform of a job. */
export function membersOn(
  members: readonly RosterMember[],
  platform: string,
  task: Pick<TaskDocument, 'job'> | undefined,
): readonly RosterMember[] {
  return task ? members.filter(member => platformOf(member, task.job.profile) === platform) : members
}

/** Ends of seats that were never lost or given back. */
const untroubled = ['submitted', 'job-ended']

const pools: readonly (readonly Role[])[] = [['seat', 'panel'], ['referee'], ['shadow']]

/**
 * What is wrong with the seats of a job: who sits without being in the roster, in another role, with another weight, on another
 * platform; two that may be one person.
 */
export function seatFaults(members: readonly RosterMember[], close: CloseDocument, task: Task): string[] {
  const byName = new Map(members.map(member => [member.volunteer, member]))
  const faults = close.seats.flatMap(({ volunteer, role, weight, operator }) => {
    const member = byName.get(volunteer)
    if (!member) return [`${volunteer} has a seat but is not in the roster`]
    if (!isFor(task, role, member)) return [`${volunteer} sits as ${role}, which the roster does not let it`]
    const platform = platformOf(member, task.job.profile)
    if (platform !== close.draw?.platform)
      return [
        `${volunteer} sits on ${platform ?? 'nothing'}, but the job was drawn for ${close.draw?.platform}`,
      ]
    if (weight !== member.weight || operator !== member.operator)
      return [
        `${volunteer} sits as ${operator} with weight ${weight}, but the roster says ${member.operator} with ${member.weight}`,
      ]
    return []
  })
  return [...faults, ...sharingFaults(byName, close)]
}

/**
 * Two that may be one person and both answered. Whoever lost a seat may hand in late, after another took its place: then one of
 * them was passed over, or a seat was lost on the way, and nothing is held against anybody.
 */
function sharingFaults(byName: ReadonlyMap<string, RosterMember>, { seats, draw }: CloseDocument): string[] {
  const faults: string[] = []
  if (seats.some(({ end }) => !untroubled.includes(end))) return faults
  const owners = new Map<string, string>()
  for (const { volunteer, attestation } of seats) {
    if (attestation === undefined || draw?.passed.includes(volunteer)) continue
    for (const tag of byName.get(volunteer)?.tags ?? []) {
      const other = owners.get(tag)
      if (other === undefined) owners.set(tag, volunteer)
      else faults.push(`${volunteer} and ${other} both answered, but share ${tag}`)
    }
  }
  return faults
}

export interface Skipped {
  readonly volunteer: string
  /** The close document says that it was not there when its turn came. */
  readonly passed: boolean
}

/**
 * Volunteers that rank better than one that sits in the same role and have no seat, though they share nothing with those
 * who do. An honest coordinator names each as passed over, unless a seat was lost on the way or a member was banned since.
 */
export function skippedOf(
  members: readonly RosterMember[],
  { seats, draw }: Pick<CloseDocument, 'seats' | 'draw'>,
  task: Seating,
): Skipped[] {
  if (!draw || seats.length === 0) return []
  const sitting = new Set(seats.map(seat => seat.volunteer))
  const tags = new Set(members.filter(one => sitting.has(one.volunteer)).flatMap(one => one.tags))
  const passed = new Set(draw.passed)
  return pools.flatMap(roles => {
    const here = new Set(seats.filter(seat => roles.includes(seat.role)).map(seat => seat.volunteer))
    const [role] = roles
    if (here.size === 0 || role === undefined) return []
    const order = ranked(
      members.filter(member => isFor(task, role, member)),
      draw.seed,
    )
    const last = order.findLastIndex(member => here.has(member.volunteer))
    return order
      .slice(0, Math.max(0, last))
      .filter(({ volunteer, tags: own }) => !sitting.has(volunteer) && !own.some(tag => tags.has(tag)))
      .map(({ volunteer }) => ({ volunteer, passed: passed.has(volunteer) }))
  })
}

/**
 * Whether a volunteer that ranks better can only have been skipped on purpose: the job ended well, no seat was lost or given
 * back, and none that had its turn before came back. Otherwise whose turn it was at which moment cannot be told any more.
 */
export function isPlain({ outcome, seats, draw }: CloseDocument): boolean {
  const passed = new Set(draw?.passed)
  return (
    (outcome === 'accepted' || outcome === 'sample') &&
    seats.every(({ end, volunteer }) => untroubled.includes(end) && !passed.has(volunteer))
  )
}
