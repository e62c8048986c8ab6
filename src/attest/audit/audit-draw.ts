import { seedOf } from '../../consensus/draw.ts'
import type { BeaconDocument, CloseDocument, RosterDocument, TaskDocument } from '../documents.ts'
import type { Fault } from '../faults.ts'
import type { Entry } from '../log/entry.ts'
import {
  type AuditState,
  documentOf,
  firstFrom,
  type Leaf,
  lastBelow,
  type Mark,
  markAt,
  rosterAt,
  whereFirst,
} from './audit-state.ts'
import { platformIn } from './draws.ts'
import { type DrawEvidence, sizeOf, steeringOf } from './fault-draw.ts'
import { proveNewest } from './newest-roster.ts'
import { entryAt } from './open-log.ts'
import { faultBase, proveDocument } from './prove.ts'
import { isPlain, membersOn, type Skipped, skippedOf } from './seats.ts'

interface Closing extends Leaf {
  readonly close: CloseDocument
}

/** The leaves a draw names, with what they stand for. */
interface Drawn {
  readonly task: Leaf & { document?: TaskDocument | undefined }
  readonly roster?: (Leaf & { document?: RosterDocument | undefined }) | undefined
  readonly beacon?: (Leaf & { document?: BeaconDocument | undefined }) | undefined
}

/** Recomputes the draw of a job. @returns who was passed over or skipped */
export async function auditDraw(
  state: AuditState,
  closing: Closing,
  announced: Leaf | undefined,
  task: TaskDocument | undefined,
): Promise<Skipped[]> {
  const { list } = state
  const { close, index } = closing
  const { draw } = close
  const drawn = await drawnFrom(state, closing, announced, task)
  if (!drawn) return []
  const better = await betterLeaf(state, closing, drawn)
  const { other, newest } = better ?? {}
  const evidence: DrawEvidence = { close: { index, document: close }, ...drawn, other, newest }
  const faults = steeringOf(evidence, state.log.vkey)
  for (const [at, detail] of faults.entries()) {
    const check = detail.includes('sits') || detail.includes('answered') ? 'seats' : 'draws'
    list.fault(check, index, detail, at === 0 ? await proofOf(state, closing, drawn, better) : undefined)
  }
  if (!draw || faults.length > 0) return []
  const { value } = markAt(state.beacons, draw.beacon) ?? {}
  if (value === undefined || seedOf(value, close.job) !== draw.seed)
    list.fault('draws', index, 'the seed does not follow from the signatures of the witnesses of the policy')
  else list.held('draws')
  const members = membersOn(drawn.roster?.document?.members ?? [], draw.platform, task)
  const skipped = skippedOf(members, close, task ?? close.rules).filter(
    ({ volunteer }) => state.book.member(volunteer)?.banned === undefined,
  )
  const unnamed = isPlain(close) && state.bookKnown ? skipped.filter(({ passed }) => !passed) : []
  for (const { volunteer } of unnamed) {
    const fault = list.fault(
      'seats',
      index,
      `${volunteer} ranks better than some who sit, and is not named as passed over`,
    )
    const finish = (later: Leaf, document: RosterDocument) =>
      proofOf(state, closing, drawn, { other: { ...later, document } })
    if (state.unproven.length < 100) state.unproven.push({ fault, volunteer, index, finish })
  }
  if (unnamed.length === 0) list.held('seats')
  return skipped
}

/** Undefined where something is not out: nothing can be told then. */
async function drawnFrom(
  state: AuditState,
  { close, index }: Closing,
  announced: Leaf | undefined,
  task: TaskDocument | undefined,
): Promise<Drawn | undefined> {
  const { draw } = close
  const at = async (
    leaf: number,
    document?: TaskDocument,
  ): Promise<Leaf & { document?: TaskDocument | undefined }> => ({
    index: leaf,
    entry: await entryAt(state.source, state.log, leaf),
    document,
  })
  const isLater = [close.task, draw?.roster ?? 0, draw?.beacon ?? 0].some(leaf => leaf >= index)
  if (isLater || !announced) {
    const claimed = close.task < state.log.checkpoint.size ? await at(close.task) : undefined
    if (!claimed || claimed.entry.kind === 'task') {
      const why = isLater ? 'it names a leaf that was logged after it' : 'its task has ended before'
      state.list.fault('draws', index, why)
      return undefined
    }
    return { task: claimed }
  }
  if (!task) return undefined
  if (!draw) return { task: { ...announced, document: task } }
  const entryOf = async (kind: 'roster' | 'beacon', marks: readonly Mark[], leaf: number): Promise<Entry> => {
    const mark = markAt(marks, leaf)
    return mark ? { kind, id: mark.id } : entryAt(state.source, state.log, leaf)
  }
  const roster = await rosterAt(state, draw.roster)
  const rosterEntry = await entryOf('roster', state.rosters, draw.roster)
  const beaconEntry = await entryOf('beacon', state.beacons, draw.beacon)
  const beacon =
    beaconEntry.kind === 'beacon'
      ? await documentOf(state, { index: draw.beacon, entry: beaconEntry }, 'pyti.beacon/1')
      : undefined
  if ((rosterEntry.kind === 'roster' && !roster) || (beaconEntry.kind === 'beacon' && !beacon))
    return undefined
  return {
    task: { ...announced, document: task },
    roster: { index: draw.roster, entry: rosterEntry, document: roster },
    beacon: { index: draw.beacon, entry: beaconEntry, document: beacon },
  }
}

/** What should have been drawn from instead. */
interface Better {
  readonly other?: Leaf & { document: BeaconDocument | RosterDocument }
  /** Where `other` is a beacon that the roster of the draw is not under: the newest one that is. */
  readonly newest?: { index: number; document: RosterDocument } | undefined
}

/**
 * A later roster below the beacon; or the first beacon over the task beneath which the newest roster has enough operators, if
 * that came before.
 */
async function betterLeaf(
  state: AuditState,
  { close: { task: taskIndex, draw } }: Closing,
  { task: { document: task }, beacon, roster }: Drawn,
): Promise<Better | undefined> {
  if (!draw || !beacon?.document || !roster?.document || !task) return undefined
  const used = markAt(state.beacons, draw.beacon)
  const newer = firstFrom(state.rosters, draw.roster + 1)
  if (newer && used && newer.index < used.size) {
    const other = await marked(state, newer, 'roster', 'pyti.roster/1')
    return other && { other }
  }
  let tried: number | undefined
  for (let at = whereFirst(state.beacons, ({ size }) => size > taskIndex); ; at += 1) {
    const earlier = state.beacons[at]
    if (!earlier || earlier.index >= draw.beacon) return undefined
    const mark = lastBelow(state.rosters, earlier.size)
    if (!mark || mark.index === tried) continue
    tried = mark.index
    const document = await rosterAt(state, mark.index)
    if (!document) return undefined
    if (platformIn(document, task) === undefined) continue
    const other = await marked(state, earlier, 'beacon', 'pyti.beacon/1')
    const newest = draw.roster < earlier.size ? undefined : { index: mark.index, document }
    return other && { other, newest }
  }
}

async function marked(
  state: AuditState,
  { index, id }: Mark,
  kind: 'beacon' | 'roster',
  schema: 'pyti.beacon/1' | 'pyti.roster/1',
): Promise<(Leaf & { document: BeaconDocument | RosterDocument }) | undefined> {
  const leaf = { index, entry: { kind, id } }
  const document = await documentOf(state, leaf, schema)
  return document && { ...leaf, document }
}

async function proofOf(
  { log, source }: AuditState,
  { close, index, entry }: Closing,
  { task, roster, beacon }: Drawn,
  { other, newest }: Better = {},
): Promise<Fault> {
  const under =
    newest && other?.document.schema === 'pyti.beacon/1'
      ? await proveNewest(source, log, newest, sizeOf(other.document.checkpoint) ?? 0)
      : undefined
  return {
    ...faultBase(log),
    kind: 'steered-draw',
    close: await proveDocument(log, { index, entry }, close),
    task: await proveDocument(log, task, task.document),
    ...(roster && { roster: await proveDocument(log, roster, roster.document) }),
    ...(beacon && { beacon: await proveDocument(log, beacon, beacon.document) }),
    ...(other && { other: await proveDocument(log, other, other.document) }),
    ...(under && { newest: under }),
  }
}

/** Proves, with the last roster there is, what only a later one shows. */
export async function proveSkips(state: AuditState): Promise<void> {
  const last = state.rosters.at(-1)
  const roster = last && (await rosterAt(state, last.index))
  if (!last || !roster) return
  for (const { fault, volunteer, index, finish } of state.unproven)
    if (last.index > index && roster.members.some(member => member.volunteer === volunteer))
      fault.proof = await finish({ index: last.index, entry: { kind: 'roster', id: last.id } }, roster)
}
