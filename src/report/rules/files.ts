import type { TaskName } from '../../wire/job.ts'
import {
  type Change,
  changesOf,
  isByteCode,
  isMadeHere,
  isNewFolder,
  isOwn,
  isUninstalled,
  isWorkspace,
} from '../changes.ts'
import { eventsOf, sightingsOf } from '../events.ts'
import { isOutward } from '../network.ts'
import { schedules } from '../programs.ts'
import type { Rule, Sighting } from '../rule.ts'
import { runningTasks, type Scene } from '../scene.ts'

/** Files that Python reads whenever any interpreter starts. */
export const startHook = /^\{site\}\/(?:[^/]+\.(?:pth|start)|(?:site|user)customize(?:\.py|\.so|\/.*)?)$/

/** Files that another program runs or obeys later, outside the distribution. */
const persistence: readonly RegExp[] = [
  startHook,
  /\/(?:site|dist)-packages\/(?:[^/]+\.(?:pth|start)|(?:site|user)customize\.py)$/,
  /^\{home\}\/\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|kshrc|cshrc|tcshrc|xprofile|xinitrc|xsessionrc|pam_environment)$/,
  /^\{home\}\/\.config\/(?:fish\/|autostart\/|systemd\/user\/|environment\.d\/)/,
  /^\{home\}\/\.local\/share\/systemd\/user\//,
  /^\/etc\/(?:profile|profile\.d\/.*|bash\.bashrc|environment|ld\.so\.preload|rc\.local|systemd\/.*|init\.d\/.*|xdg\/autostart\/.*|sudoers(?:\.d\/.*)?|pam\.d\/.*|udev\/.*)$/,
  /^(?:\/etc\/(?:ana)?cron[^/]*(?:\/.*)?|\/var\/spool\/(?:cron|at)(?:\/.*)?)$/,
  /^\{home\}\/\.ssh\/(?!known_hosts)/,
  /(?:^|\/)\.git\/hooks\/|^\{home\}\/\.config\/git\/hooks\/|^\{home\}\/\.git-templates?\//,
  /^\{home\}\/\.(?:pypirc|netrc|npmrc|pydistutils\.cfg)$|(?:^|\/)pip\.(?:conf|ini)$/,
  /^\{home\}\/\.ipython\/profile_[^/]+\/(?:startup\/[^/]+\.i?py|[^/]+_config\.py)$|^\{home\}\/\.jupyter\/[^/]*config[^/]*$/,
  /^\{venv\}\/pyvenv\.cfg$/,
]

/** What programs write into on their own account; and logs of what a person did. */
const casual =
  /^\{home\}\/\.(?:bash_history|python_history|lesshst|viminfo|gitconfig|ssh\/known_hosts|cache\/.*|local\/(?:state|share)\/.*)$/

const sayChange = (change: Change) => `${change.kind} ${change.path}`
const isWeak = (phase: TaskName) => phase === 'unittest'
const seen = (changes: Change[], weak: (phase: TaskName) => boolean = () => false): Sighting[] =>
  changes.map(change => ({
    phase: change.phase,
    evidence: sayChange(change),
    ...(weak(change.phase) ? { weak: true } : {}),
  }))

/** The distribution's own start hook: known to the installer and removed with it, but run by every interpreter. */
const isOwnHook = (scene: Scene, change: Change) =>
  change.phase === 'install' &&
  change.kind === 'added' &&
  scene.own.has(change.path) &&
  startHook.test(change.path)

/** `git init` makes hooks too: only those of a repository that was there before are somebody else's. */
function isInOwnRepository(scene: Scene, { path, phase }: Change): boolean {
  const [, repository] = /^(.*\/\.git)\/hooks\//.exec(path) ?? []
  return repository !== undefined && isMadeHere(scene, { path: `${repository}/HEAD`, phase })
}

export const isPersistence = (scene: Scene, change: Change) =>
  !isWorkspace(change.path) &&
  change.kind !== 'deleted' &&
  !isNewFolder(change) &&
  persistence.some(spot => spot.test(change.path)) &&
  !isOwnHook(scene, change) &&
  !isInOwnRepository(scene, change)

/** Own start hooks, and those that a task added behind the installer's back. */
export function startHooksOf(scene: Scene): string[] {
  const added = changesOf(scene, runningTasks).filter(
    change => change.kind !== 'deleted' && startHook.test(change.path),
  )
  return [...new Set([...scene.own, ...added.map(change => change.path)])].filter(path =>
    startHook.test(path),
  )
}

/** Nothing in the environment that is there before the distribution comes is its own to change. */
const isOthers = (scene: Scene, change: Change) =>
  /^\{(?:site|scripts|venv)\}\//.test(change.path) &&
  (change.phase === 'install' || change.phase === 'build' || !isOwn(scene, change.path))

/** Whatever is in the user's folder and was not made by a task of this job was the user's. */
const isUsers = (change: Change) => change.path.startsWith('{home}/') && !casual.test(change.path)

const isForeign = (scene: Scene, change: Change) =>
  change.kind !== 'added' &&
  !isNewFolder(change) &&
  !isUninstalled(scene, change) &&
  (isOthers(scene, change) || isUsers(change)) &&
  !isMadeHere(scene, change)

const isOutside = (scene: Scene, change: Change) =>
  !isWorkspace(change.path) &&
  !isNewFolder(change) &&
  !isByteCode(change) &&
  !isUninstalled(scene, change) &&
  !(isOwn(scene, change.path) && change.phase === 'install')

/** Tests may write a start file; not so when they also reach for the network, or when nobody asked for the code. */
const testsMay = (scene: Scene) => (phase: TaskName) =>
  isWeak(phase) && !scene.autoloads && !eventsOf(scene, [phase]).some(isOutward)

export const fileRules: readonly Rule[] = [
  {
    id: 'persistence',
    version: 2,
    level: 'suspicious',
    reason: 'A file was written that other programs run or obey later.',
    test: scene => [
      ...seen(
        changesOf(scene, runningTasks).filter(change => isPersistence(scene, change)),
        testsMay(scene),
      ),
      ...sightingsOf(
        eventsOf(scene, runningTasks, 'exec').filter(event => schedules(event.what)),
        event => testsMay(scene)(event.phase),
      ),
    ],
  },
  {
    id: 'foreign-file-changed',
    version: 2,
    level: 'suspicious',
    reason: 'A file of another distribution or of the user was overwritten or deleted.',
    test: scene =>
      seen(
        changesOf(scene, runningTasks).filter(change => isForeign(scene, change)),
        isWeak,
      ),
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
    id: 'changes-outside',
    version: 2,
    level: 'observed',
    reason: 'Files were changed that do not belong to the distribution.',
    test: scene => seen(changesOf(scene, runningTasks).filter(change => isOutside(scene, change))),
  },
  {
    id: 'left-installed',
    version: 1,
    level: 'observed',
    reason: 'Files of the distribution were still there after it was uninstalled.',
    test: scene =>
      (scene.tasks.uninstall?.stable.left ?? []).map(path => ({
        phase: 'uninstall',
        evidence: `left ${path}`,
      })),
  },
]
