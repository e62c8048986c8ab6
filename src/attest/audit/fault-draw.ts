import { toHex } from '../../wire/bytes.ts'
import { sha256 } from '../../wire/canonical.ts'
import type { BeaconDocument, CloseDocument, RosterDocument, TaskDocument } from '../documents.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { parseNote, signatureLine, type Vkey } from '../log/note.ts'
import { platformIn, rulesFaults, seedFaults } from './draws.ts'
import {
  type Confirmed,
  type FaultOf,
  openDocument,
  openHead,
  openKey,
  type openLeaf,
  prove,
} from './fault-form.ts'
import { type NewestRoster, openNewest } from './newest-roster.ts'
import { isPlain, membersOn, seatFaults, skippedOf } from './seats.ts'

/** A leaf that a close document names; `document` is undefined when it is of another kind than it should be. */
export interface Named<D> {
  readonly index: number
  readonly document?: D | undefined
}

export interface DrawEvidence {
  readonly close: { readonly index: number; readonly document: CloseDocument }
  readonly task: Named<TaskDocument>
  readonly roster?: Named<RosterDocument> | undefined
  readonly beacon?: Named<BeaconDocument> | undefined
  readonly other?: Named<BeaconDocument | RosterDocument> | undefined
  /** The newest roster under `other`, a beacon. */
  readonly newest?: Named<RosterDocument> | undefined
}

/**
 * What shows by itself that a draw was steered. Holds nothing against a coordinator that keeps the rules, whatever is left
 * out of the evidence.
 */
export function steeringOf(
  { close, task, roster, beacon, other, newest }: DrawEvidence,
  log: Vkey,
): string[] {
  const { document: end } = close
  if (end.task >= close.index) return ['it names a task that was logged after its end']
  if (!task.document) return [`leaf ${end.task}, which it names as its task, is none`]
  if (!end.draw) {
    const drawn = task.document.jobClass !== 'open' && end.seats.length > 0
    return drawn ? [`a job of class ${task.document.jobClass} has seats that nobody drew`] : []
  }
  if (task.document.jobClass === 'open') return []
  if (end.draw.roster >= close.index || end.draw.beacon >= close.index)
    return ['it names a roster or a beacon that was logged after its end']
  if (roster && !roster.document) return [`leaf ${end.draw.roster}, which it names as its roster, is none`]
  if (beacon && !beacon.document) return [`leaf ${end.draw.beacon}, which it names as its beacon, is none`]
  return [
    ...(beacon?.document ? beaconFaults(end, beacon.document, log) : []),
    ...(roster?.document ? rulesFaults(end, task.document, roster.document) : []),
    ...(roster?.document ? seatFaults(roster.document.members, end, task.document) : []),
    ...(beacon?.document && other?.document
      ? betterFaults(end, beacon.document, other, { task: task.document, newest })
      : []),
    ...(roster?.document && other?.document ? skipFaults(close, roster.document, other, task.document) : []),
  ]
}

function beaconFaults(end: CloseDocument, beacon: BeaconDocument, log: Vkey): string[] {
  const { draw, task } = end
  const size = sizeOf(beacon.checkpoint)
  if (!draw || size === undefined) return ['its beacon is no checkpoint']
  if (task >= size || draw.roster >= size)
    return [`its beacon covers ${size} leaves, so it was known before the job or the roster was logged`]
  return seedFaults(end, possibleValues(beacon, log))
}

/**
 * A later roster under the beacon that was used; or an earlier beacon over the task, beneath which the newest roster has enough
 * operators for the job.
 */
function betterFaults(
  end: CloseDocument,
  used: BeaconDocument,
  other: NonNullable<DrawEvidence['other']>,
  { task: announced, newest }: { task: TaskDocument; newest: DrawEvidence['newest'] },
): string[] {
  const { draw, task } = end
  if (!draw || other.document === undefined) return []
  if (other.document.schema === 'pyti.roster/1')
    return draw.roster < other.index && other.index < (sizeOf(used.checkpoint) ?? 0)
      ? [`it was drawn from the roster in leaf ${draw.roster}, though that in leaf ${other.index} was newer`]
      : []
  const size = sizeOf(other.document.checkpoint) ?? 0
  if (other.index >= draw.beacon || task >= size) return []
  // The newest one under the beacon that was used is also the newest one under any that covers it.
  const couldDraw =
    draw.roster < size ||
    (newest?.document !== undefined && platformIn(newest.document, announced) !== undefined)
  return couldDraw
    ? [`it was drawn from the beacon in leaf ${draw.beacon}, though that in leaf ${other.index} came first`]
    : []
}

/** Who is in a roster after the end was not banned before: rosters leave the banned out, and no ban ends. */
function skipFaults(
  { index, document: end }: DrawEvidence['close'],
  { members }: RosterDocument,
  other: NonNullable<DrawEvidence['other']>,
  task: TaskDocument,
): string[] {
  if (other.document?.schema !== 'pyti.roster/1' || other.index < index || !isPlain(end)) return []
  const later = new Set(other.document.members.map(member => member.volunteer))
  const candidates = membersOn(members, end.draw?.platform ?? '', task)
  return skippedOf(candidates, end, task)
    .filter(({ volunteer, passed }) => !passed && later.has(volunteer))
    .map(({ volunteer }) => `${volunteer} ranks better than some who sit, and is not named as passed over`)
}

/** @throws PytiError `not-a-fault` and what a bad signature or proof throws */
export async function confirmSteeredDraw(fault: FaultOf<'steered-draw'>): Promise<Confirmed> {
  const vkey = openKey(fault.log)
  const head = await openHead(fault.checkpoint, vkey)
  const { index, document: end } = openDocument(fault.close, head, 'pyti.close/1')
  prove(end !== undefined, 'the end of the job is missing')
  prove(fault.task.index === end.task, 'the task is not the one that the end of the job names')
  prove(fault.roster === undefined || fault.roster.index === end.draw?.roster, 'the roster is another one')
  prove(fault.beacon === undefined || fault.beacon.index === end.draw?.beacon, 'the beacon is another one')
  const other = fault.other && openOther(fault.other, head)
  const newest = fault.newest && openUnder(fault.newest, other)
  const faults = steeringOf(
    {
      close: { index, document: end },
      task: openDocument(fault.task, head, 'pyti.task/1'),
      roster: fault.roster && openDocument(fault.roster, head, 'pyti.roster/1'),
      beacon: fault.beacon && openDocument(fault.beacon, head, 'pyti.beacon/1'),
      other,
      newest,
    },
    vkey,
  )
  const [first] = faults
  prove(first !== undefined, 'the draw follows from its task, roster and beacon')
  return {
    kind: 'steered-draw',
    accused: fault.log,
    detail: `the end of job ${end.job} (leaf ${index}): ${first}`,
  }
}

function openOther(
  proven: NonNullable<FaultOf<'steered-draw'>['other']>,
  head: Parameters<typeof openLeaf>[1],
): NonNullable<DrawEvidence['other']> {
  const isRoster = proven.document?.schema === 'pyti.roster/1'
  const { index, document } = isRoster
    ? openDocument(proven, head, 'pyti.roster/1')
    : openDocument(proven, head, 'pyti.beacon/1')
  return { index, document }
}

function openUnder(proven: NewestRoster, other: DrawEvidence['other']): Named<RosterDocument> {
  prove(other?.document?.schema === 'pyti.beacon/1', 'there is no beacon that the newest roster is under')
  const newest = openNewest(proven, other.document.checkpoint)
  prove(newest !== undefined, 'the roster is not the newest one under the beacon')
  return newest
}

/** Leaves under a checkpoint, whoever signed it. */
export function sizeOf(note: string): number | undefined {
  try {
    return parseCheckpoint(parseNote(note).text).size
  } catch {
    return undefined
  }
}

const subsetsOf = 10

/**
 * Every value a beacon can have, whoever of its signers the policy names as witnesses: for accusing, the policy need not be
 * known. None is left out, so a seed that fits none follows from nothing.
 */
function possibleValues({ checkpoint, public: other }: BeaconDocument, log: Vkey): string[] {
  const { text, signatures } = parseNote(checkpoint)
  const lines = [
    ...new Set(signatures.filter(one => one.name !== log.name || one.id !== log.id).map(signatureLine)),
  ].sort()
  prove(lines.length <= subsetsOf, `more than ${subsetsOf} keys signed its beacon`)
  const subsets = Array.from({ length: 2 ** lines.length }, (_, bits) =>
    lines.filter((_line, at) => (bits >> at) % 2 === 1).join(''),
  )
  const root = `${toHex(parseCheckpoint(text).root)}\n`
  const end = other ? `${other.source}\n${other.value}\n` : ''
  return subsets.map(own => sha256(`pyti-beacon/v1\n${own === '' ? root : own}${end}`))
}
