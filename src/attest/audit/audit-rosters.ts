import type { Change } from '../../consensus/book.ts'
import { graduate } from '../../consensus/consequences.ts'
import { messageOf } from '../../errors.ts'
import { toHex } from '../../wire/bytes.ts'
import { canonicalJson } from '../../wire/canonical.ts'
import { beaconValue } from '../beacon.ts'
import { type PolicyDocument, type RosterDocument, witnessesOf } from '../documents.ts'
import { noWitnesses, openCheckpoint } from '../log/checkpoint.ts'
import { rootAt } from '../log/merkle.ts'
import { type AuditState, documentOf, keepRoster, type Leaf, loseBook } from './audit-state.ts'
import { membersOf } from './roster-members.ts'

export async function auditPolicy(state: AuditState, leaf: Leaf): Promise<void> {
  const policy = await documentOf(state, leaf, 'pyti.policy/1')
  if (!policy) return loseBook(state, `the policy in leaf ${leaf.index} is missing`)
  const { index, entry } = leaf
  state.policies.push({ index, id: entry.id })
  state.policy = policy
  const dismissed = state.book.keepReferees(policy.referees)
  for (const volunteer of dismissed) state.dismissed.set(volunteer, index)
  state.listener.policy?.({ index, dismissed })
  state.list.held('policy')
}

/** A roster must be what the book says: newcomers, graduates within the growth of the pool, members with their weights. */
export async function auditRoster(state: AuditState, leaf: Leaf): Promise<void> {
  const { index, entry } = leaf
  state.rosters.push({ index, id: entry.id })
  const roster = await documentOf(state, leaf, 'pyti.roster/1')
  if (!roster) return loseBook(state, `the roster in leaf ${index} is missing`)
  keepRoster(state, index, roster)
  state.day = roster.day
  state.listener.roster?.({ index, roster })
  if (!state.bookKnown) return
  const wrong = rosterFault(state, roster)
  if (wrong === undefined) return state.list.held('rosters')
  state.list.fault('rosters', index, wrong)
  loseBook(state, `the roster in leaf ${index} does not follow from the book`)
}

function rosterFault(
  { book, policy }: AuditState,
  { changes, day, members }: RosterDocument,
): string | undefined {
  if (!policy) return 'it comes before any policy'
  const joined = changes.filter(change => change.type === 'joined')
  for (const change of joined) {
    if (book.member(change.volunteer)) return `${change.volunteer} joins though it is a member`
    if (change.vouched !== vouchedFor(policy, change.volunteer))
      return `the policy does not vouch for ${change.volunteer} as ${change.vouched ?? 'nothing'}`
    book.apply(change, day)
  }
  const vouched = [...book.members()].flatMap((member): Change[] => {
    const as = vouchedFor(policy, member.volunteer)
    return as && as !== member.vouched ? [{ type: 'vouched', volunteer: member.volunteer, as }] : []
  })
  for (const change of changes)
    if (change.type === 'vouched' && !vouched.some(one => canonicalJson(one) === canonicalJson(change)))
      return `the policy does not vouch anew for ${change.volunteer} as ${change.as}`
  for (const change of vouched) book.apply(change, day)
  const room = book.graduationsLeft(day)
  const graduates: Change[] = graduate(book, day)
  const claimed = changes.filter(change => change.type === 'graduated').length
  if (claimed > room) return `the pool grows by ${claimed}, but ${room} is all it may`
  if (canonicalJson(changes) !== canonicalJson([...joined, ...vouched, ...graduates]))
    return 'who counts from here on is not what follows from the book'
  const machines = new Map(members.map(member => [member.volunteer, member]))
  const expected = membersOf(book, machines, day)
  const wrong = members.findIndex(
    (member, at) => canonicalJson(member) !== canonicalJson(expected[at] ?? null),
  )
  if (wrong >= 0) return `${members[wrong]?.volunteer} is not what the book says of it`
  return members.length < expected.length ? `${expected[members.length]?.volunteer} is left out` : undefined
}

function vouchedFor({ founders, referees }: PolicyDocument, volunteer: string) {
  if (referees.includes(volunteer)) return 'referee'
  return founders.includes(volunteer) ? 'founder' : undefined
}

/** A beacon must be a checkpoint of this very tree, signed by the log and by as many witnesses as the policy asks for. */
export async function auditBeacon(state: AuditState, leaf: Leaf): Promise<void> {
  const { index, entry } = leaf
  const { list, log, beacons } = state
  const beacon = await documentOf(state, leaf, 'pyti.beacon/1')
  if (!beacon) return
  try {
    const witnesses = state.policy ? witnessesOf(state.policy) : noWitnesses
    const value = await beaconValue(beacon, log.vkey, witnesses)
    const { checkpoint } = await openCheckpoint(beacon.checkpoint, log.vkey)
    const { size, root } = checkpoint
    if (size > index) list.fault('draws', index, `the beacon covers ${size} leaves, more than there were`)
    else if (toHex(await rootAt(size, log.read)) !== toHex(root))
      list.fault('consistency', index, `the beacon is a checkpoint of another tree of ${size} leaves`)
    else if (size >= (beacons.at(-1)?.size ?? 0)) beacons.push({ index, id: entry.id, size, value })
    else list.fault('draws', index, 'the beacon is older than the one before it')
  } catch (error) {
    list.fault('draws', index, `not a beacon: ${messageOf(error)}`)
  }
}
