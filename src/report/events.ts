import { type TaskName, taskNames } from '../wire/job.ts'
import type { Event } from '../wire/raw-data.ts'
import type { Sighting } from './rule.ts'
import type { Scene } from './scene.ts'

export interface Seen extends Event {
  readonly phase: TaskName
  /** Days ahead of today, when seen under another date only. */
  readonly days?: number
}

/** Events of some tasks in their order; `clocks` has those of each shifted date too. */
export function eventsOf(
  scene: Scene,
  phases: readonly TaskName[] = taskNames,
  ...kinds: Event['kind'][]
): Seen[] {
  return phases
    .flatMap(phase => [
      ...(scene.tasks[phase]?.stable.events ?? []).map(event => ({ ...event, phase })),
      ...(phase === 'clocks' ? shiftedEvents(scene) : []),
    ])
    .filter(({ kind }) => kinds.length === 0 || kinds.includes(kind))
}

/** What was seen under another date and not under today's. */
export function shiftedEvents(scene: Scene): Seen[] {
  const shifts = scene.tasks.clocks?.stable.shifts ?? []
  return shifts.flatMap(({ days, events }) =>
    events.map(event => ({ ...event, phase: 'clocks' as const, days })),
  )
}

const whatLength = 150
const byLength = 60
const counts = { once: '', few: ' (a few times)', many: ' (many times)' }

/** `exec curl ..., by import, at {site}/pkg/mod.py:3 (many times)`; long texts are cut so that all parts are there. */
export function sayEvent({ kind, what, by, at, times, days }: Seen): string {
  return [
    `${kind} ${cut(what, whatLength)}`,
    by === undefined ? '' : `, by ${cut(by, byLength)}`,
    at === undefined ? '' : `, at ${cut(at, byLength)}`,
    counts[times],
    days === undefined ? '' : `, ${days} days ahead`,
  ].join('')
}

/** A cut inside a surrogate pair would leave text that has no canonical JSON. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).toWellFormed()}...`
}

/**
 * Events as sightings. What the kernel told and Python told too stands once, with its line.
 * @param isWeak of a sighting; by default what tests do
 */
export function sightingsOf(events: readonly Seen[], isWeak = isTests): Sighting[] {
  const told = new Set(events.filter(event => event.at !== undefined).map(keyOf))
  const shown = events.filter(event => event.at !== undefined || !told.has(keyOf(event)))
  return shown.map(event => ({
    phase: event.phase,
    evidence: sayEvent(event),
    ...(isWeak(event) ? { weak: true } : {}),
  }))
}

function keyOf({ phase, kind, what, days }: Seen): string {
  return JSON.stringify([phase, kind, what, days])
}

/** What tests do they do on purpose: weaker evidence than the same in a build, an installation or an import. */
export function isTests({ phase, at }: Seen): boolean {
  return phase === 'unittest' || (phase === 'clocks' && at?.startsWith('{tests}/') === true)
}

/** Events of one task together: a chain is what one task does. */
export function byTask(events: readonly Seen[]): [TaskName, Seen[]][] {
  return [...Map.groupBy(events, event => event.phase)]
}
