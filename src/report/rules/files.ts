import { type TaskName, taskNames } from '../wire/job.ts'
import {
  type Change,
  changesOf,
  isByteCode,
  isNewFolder,
  isOwn,
  isWorkspace,
  runningTasks,
  type Scene,
} from './changes.ts'
import type { Finding, FindingLevel } from './evaluation.ts'

/** One sighting; sightings of a rule in the same phase become one finding. */
export interface Sighting {
  readonly phase: Finding['phase']
  readonly evidence: string
}

/**
 * What is worth telling about raw data. Rules judge, raw data does not: a better rule needs no new run.
 * A change of what a rule matches raises its `version`, which changes the policy digest in reports.
 */
export interface Rule {
  readonly id: string
  readonly version: number
  readonly level: FindingLevel
  /** Why it matters, for people. */
  readonly reason: string
  readonly test: (scene: Scene) => Sighting[]
}

const fatalSignals = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGSYS', 'SIGTRAP']
const resourceReasons = ['timeout', 'out-of-memory', 'disk-full', 'process-limit', 'output-limit']

/** Files that Python reads whenever any interpreter starts. */
const startHook = /^\{site\}\/(?:[^/]+\.(?:pth|start)|(?:site|user)customize(?:\.py|\.so|\/.*)?)$/

/** Files that another program runs or obeys later, outside the distribution. */
const persistence: readonly RegExp[] = [
  startHook,
  /\/(?:site|dist)-packages\/(?:[^/]+\.(?:pth|start)|(?:site|user)customize\.py)$/,
  /^\{home\}\/\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|kshrc|cshrc|tcshrc|xprofile|xinitrc|xsessionrc|pam_environment)$/,
  /^\{home\}\/\.config\/(?:fish\/|autostart\/|systemd\/user\/|environment\.d\/)/,
  /^\{home\}\/\.local\/share\/systemd\/user\//,
  /^\/etc\/(?:profile|profile\.d\/.*|bash\.bashrc|environment|ld\.so\.preload|rc\.local|systemd\/.*|init\.d\/.*|xdg\/autostart\/.*|sudoers(?:\.d\/.*)?|pam\.d\/.*|udev\/.*)$/,
  /^(?:\/etc\/(?:ana)?cron[^/]*(?:\/.*)?|\/var\/spool\/(?:cron|at)(?:\/.*)?)$/,
  /^\{home\}\/\.ssh\//,
  /(?:^|\/)\.git\/hooks\/|^\{home\}\/\.config\/git\/hooks\/|^\{home\}\/\.git-templates?\//,
  /^\{home\}\/\.(?:pypirc|netrc|npmrc|pydistutils\.cfg)$|(?:^|\/)pip\.(?:conf|ini)$/,
  /^\{home\}\/\.ipython\/profile_[^/]+\/(?:startup\/[^/]+\.i?py|[^/]+_config\.py)$|^\{home\}\/\.jupyter\/[^/]*config[^/]*$/,
  /^\{venv\}\/pyvenv\.cfg$/,
]

const sayChange = (change: Change) => `${change.kind} ${change.path}`
const seen = (changes: Change[]): Sighting[] =>
  changes.map(change => ({ phase: change.phase, evidence: sayChange(change) }))

/** The distribution's own start hook: known to the installer and removed with it, but run by every interpreter. */
const isOwnHook = (scene: Scene, change: Change) =>
  change.phase === 'install' &&
  change.kind === 'added' &&
  scene.own.has(change.path) &&
  startHook.test(change.path)

const isPersistence = (scene: Scene, change: Change) =>
  !isWorkspace(change.path) &&
  change.kind !== 'deleted' &&
  !isNewFolder(change) &&
  persistence.some(spot => spot.test(change.path)) &&
  !isOwnHook(scene, change)

/** Nothing in the environment that is there before the distribution comes is its own to change. */
const isForeign = (scene: Scene, change: Change) =>
  /^\{(?:site|scripts|venv)\}\//.test(change.path) &&
  change.kind !== 'added' &&
  !isNewFolder(change) &&
  (change.phase === 'install' || change.phase === 'build' || !isOwn(scene, change.path))

const isOutside = (scene: Scene, change: Change) =>
  !isWorkspace(change.path) &&
  !isNewFolder(change) &&
  !isByteCode(change) &&
  !(isOwn(scene, change.path) && change.phase === 'install')

const codeTasks: readonly TaskName[] = ['build', 'install', 'import']

export const rules: readonly Rule[] = [
  {
    id: 'tampered',
    version: 1,
    level: 'suspicious',
    reason: 'Code of the distribution ended or forged the agent that watches it.',
    test: scene =>
      taskSightings(scene, ({ reason }) =>
        reason === 'tampered' ? 'the agent was ended or forged' : undefined,
      ),
  },
  {
    id: 'persistence',
    version: 1,
    level: 'suspicious',
    reason: 'A file was written that other programs run or obey later.',
    test: scene => seen(changesOf(scene, codeTasks).filter(change => isPersistence(scene, change))),
  },
  {
    id: 'foreign-file-changed',
    version: 1,
    level: 'suspicious',
    reason: 'A file of another installed distribution was overwritten or deleted.',
    test: scene => seen(changesOf(scene, runningTasks).filter(change => isForeign(scene, change))),
  },
  {
    id: 'start-hook',
    version: 1,
    level: 'observed',
    reason: 'The distribution installs a file that Python reads whenever any interpreter starts.',
    test: scene =>
      [...scene.own]
        .filter(path => startHook.test(path))
        .map(path => ({ phase: 'install', evidence: `installs ${path}` })),
  },
  {
    id: 'fatal-signal',
    version: 1,
    level: 'observed',
    reason: 'Code of the distribution crashed the interpreter.',
    test: scene => [
      ...taskSightings(scene, ({ signal }) =>
        signal !== undefined && fatalSignals.includes(signal) ? `ended by ${signal}` : undefined,
      ),
      ...moduleSightings(scene, ({ signal }) =>
        signal !== undefined && fatalSignals.includes(signal) ? `ended by ${signal}` : undefined,
      ),
    ],
  },
  {
    id: 'resource-limit',
    version: 1,
    level: 'observed',
    reason: 'A limit on time, memory, disk, processes or output was reached.',
    test: scene => [
      ...taskSightings(scene, ({ reason }) => resourceReasons.find(limit => limit === reason)),
      ...moduleSightings(scene, ({ outcome }) =>
        outcome === 'timeout' || outcome === 'killed' ? outcome : undefined,
      ),
    ],
  },
  {
    id: 'changes-outside',
    version: 1,
    level: 'observed',
    reason: 'Files were changed that do not belong to the distribution.',
    test: scene => seen(changesOf(scene, runningTasks).filter(change => isOutside(scene, change))),
  },
  {
    id: 'changes-cut',
    version: 1,
    level: 'observed',
    reason: 'More files were changed than raw data lists, so not all of them could be judged.',
    test: scene =>
      runningTasks.flatMap(phase => {
        const omitted = scene.tasks[phase]?.stable.changesOmitted ?? 0
        return omitted > 0 ? [{ phase, evidence: `${omitted} changes are not listed` }] : []
      }),
  },
]

type Outcome = { reason?: string | undefined; signal?: string | undefined }

function taskSightings(scene: Scene, say: (stable: Outcome) => string | undefined): Sighting[] {
  return taskNames.flatMap(phase => {
    const stable = scene.tasks[phase]?.stable
    const evidence = stable && say(stable)
    return evidence === undefined ? [] : [{ phase, evidence }]
  })
}

type ImportedModule = { name: string; outcome: string; signal?: string | undefined }

function moduleSightings(scene: Scene, say: (module: ImportedModule) => string | undefined): Sighting[] {
  return (scene.tasks.import?.stable.modules ?? []).flatMap(module => {
    const evidence = say(module)
    return evidence === undefined ? [] : [{ phase: 'import', evidence: `${module.name}: ${evidence}` }]
  })
}
