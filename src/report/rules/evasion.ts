import { taskNames } from '../../wire/job.ts'
import { changesOf } from '../changes.ts'
import { eventsOf, isTests, type Seen, shiftedEvents, sightingsOf } from '../events.ts'
import { hostOf, isOutward } from '../network.ts'
import { nameOf, wordsOf } from '../programs.ts'
import type { Rule, Sighting } from '../rule.ts'
import { runningTasks, type Scene, tellingTasks } from '../scene.ts'
import { decodedCode, isTellingExec } from './code.ts'
import { isPersistence } from './files.ts'
import { secretsRead } from './secrets.ts'

/** What everything that measures or describes a machine reads. */
const commonSpots =
  /^\/(?:proc\/(?:cpuinfo|version|mounts|uptime|cmdline|self\/(?:status|cgroup|mountinfo|mounts))|sys\/(?:class\/net|block)|etc\/machine-id)(?:\/|$)/

/** Whom an act concerns: the program, the host or the secret, without what may be new with the day. */
function targetOf(event: Seen): string | undefined {
  if (event.kind === 'bait-read') return event.what
  if (isOutward(event)) return `host ${hostOf(event.what)}`
  return isTellingExec(event) ? `program ${nameOf(wordsOf(event.what)[0])}` : undefined
}

/** Acts under another date whose target is nowhere to be seen under today's. */
function gatedActs(scene: Scene): Sighting[] {
  const today = new Set(
    taskNames.flatMap(phase =>
      (scene.tasks[phase]?.stable.events ?? []).flatMap(event => targetOf({ ...event, phase }) ?? []),
    ),
  )
  const acts = shiftedEvents(scene).filter(event => {
    const target = targetOf(event)
    return target !== undefined && !today.has(target)
  })
  const earlier = new Set(
    changesOf(
      scene,
      runningTasks.filter(task => task !== 'clocks'),
    ).map(change => change.path),
  )
  const written = changesOf(scene, ['clocks']).filter(
    change => isPersistence(scene, change) && !earlier.has(change.path),
  )
  return [
    ...sightingsOf(acts),
    ...written.map(({ kind, path }) => ({ phase: 'clocks' as const, evidence: `${kind} ${path}` })),
  ]
}

export const evasionRules: readonly Rule[] = [
  {
    id: 'tamper',
    version: 1,
    level: 'suspicious',
    reason:
      'What watches the distribution was ended, forged or touched, or a process that is not its own was signalled.',
    test: scene => [
      ...taskNames
        .filter(phase => scene.tasks[phase]?.stable.reason === 'tampered')
        .map(phase => ({ phase, evidence: 'the agent was ended or forged' })),
      ...sightingsOf(
        eventsOf(scene, undefined, 'tamper', 'kill'),
        event => event.kind === 'kill' && isTests(event),
      ),
    ],
  },
  {
    id: 'time-gate',
    version: 1,
    level: 'suspicious',
    reason: 'Under another date it did what it does not do today.',
    test: gatedActs,
  },
  {
    id: 'machine-check',
    version: 1,
    level: 'suspicious',
    reason:
      'It looked for signs of a virtual machine; more than that when it also acts under another date only.',
    test: scene => {
      const gated = gatedActs(scene).some(act => act.weak !== true)
      const acting = new Set(
        [...secretsRead(scene), ...decodedCode(scene), ...eventsOf(scene, tellingTasks, 'bait-left')].map(
          event => event.phase,
        ),
      )
      const checks = eventsOf(scene, tellingTasks, 'identity-read')
      return sightingsOf(
        checks.filter(({ phase, what }) => gated || acting.has(phase) || !commonSpots.test(what)),
        event => !gated || isTests(event),
      )
    },
  },
]
