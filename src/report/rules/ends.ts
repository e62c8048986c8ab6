import { taskNames } from '../../wire/job.ts'
import type { Rule, Sighting } from '../rule.ts'
import type { Scene } from '../scene.ts'

const fatalSignals = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGSYS', 'SIGTRAP']
const resourceReasons = ['timeout', 'out-of-memory', 'disk-full', 'process-limit', 'output-limit']
const isFatal = (signal: string | undefined): signal is string =>
  signal !== undefined && fatalSignals.includes(signal)

type End = { reason?: string | undefined; signal?: string | undefined }
type PartEnd = { name: string; outcome: string; signal?: string | undefined }

function ofTasks(scene: Scene, say: (stable: End) => string | undefined): Sighting[] {
  return taskNames.flatMap(phase => {
    const stable = scene.tasks[phase]?.stable
    const evidence = stable && say(stable)
    return evidence === undefined ? [] : [{ phase, evidence }]
  })
}

/** Modules and console scripts, each of which ran for itself. */
function ofParts(scene: Scene, say: (part: PartEnd) => string | undefined): Sighting[] {
  const { import: imported, scripts } = scene.tasks
  const parts: [Sighting['phase'], readonly PartEnd[]][] = [
    ['import', imported?.stable.modules ?? []],
    ['scripts', scripts?.stable.scripts ?? []],
  ]
  return parts.flatMap(([phase, ends]) =>
    ends.flatMap(part => {
      const evidence = say(part)
      return evidence === undefined ? [] : [{ phase, evidence: `${part.name}: ${evidence}` }]
    }),
  )
}

/** How much of a task raw data had no room for. */
const cuts = [
  ['changesOmitted', 'changes'],
  ['eventsOmitted', 'events'],
] as const

export const endRules: readonly Rule[] = [
  {
    id: 'fatal-signal',
    version: 2,
    level: 'observed',
    reason: 'Code of the distribution crashed the interpreter.',
    test: scene => {
      const say = ({ signal }: End) => (isFatal(signal) ? `ended by ${signal}` : undefined)
      return [...ofTasks(scene, say), ...ofParts(scene, say)]
    },
  },
  {
    id: 'resource-limit',
    version: 2,
    level: 'observed',
    reason: 'A limit on time, memory, disk, processes or output was reached.',
    test: scene => [
      ...ofTasks(scene, ({ reason }) => resourceReasons.find(limit => limit === reason)),
      ...ofParts(scene, ({ outcome }) => ['timeout', 'killed'].find(end => end === outcome)),
    ],
  },
  {
    id: 'changes-cut',
    version: 2,
    level: 'observed',
    reason: 'More was changed or done than raw data lists, so not all of it could be judged.',
    test: scene =>
      taskNames.flatMap(phase =>
        cuts.flatMap(([field, noun]) => {
          const omitted = scene.tasks[phase]?.stable[field] ?? 0
          return omitted > 0 ? [{ phase, evidence: `${omitted} ${noun} are not listed` }] : []
        }),
      ),
  },
  {
    id: 'static-finding',
    version: 1,
    level: 'observed',
    reason: 'A rule about the files, of which none was run, was met.',
    test: scene =>
      (scene.tasks.static?.stable.findings ?? []).map(({ rule, file, line }) => ({
        phase: 'static',
        evidence: `${rule} in ${file}${line === undefined ? '' : `:${line}`}`,
      })),
  },
  {
    id: 'clock-dependent',
    version: 1,
    level: 'observed',
    reason: 'Modules or tests ended otherwise under another date.',
    test: scene =>
      (scene.tasks.clocks?.stable.shifts ?? []).flatMap(({ days, modules, tests }) =>
        [...modules, ...tests].map(name => ({
          phase: 'clocks' as const,
          evidence: `${name}, ${days} days ahead`,
        })),
      ),
  },
]
