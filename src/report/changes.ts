import { type TaskName, taskNames } from '../wire/job.ts'
import type { FileChange } from '../wire/raw-data.ts'
import type { Scene } from './scene.ts'

export interface Change extends FileChange {
  readonly phase: TaskName
}

export function changesOf(scene: Scene, phases: readonly TaskName[]): Change[] {
  return phases.flatMap(phase =>
    (scene.tasks[phase]?.stable.changes ?? []).map(change => ({ ...change, phase })),
  )
}

/** A file that the distribution's installation is meant to bring along. */
export function isOwn(scene: Scene, path: string): boolean {
  return scene.own.has(path) || scene.ownMetadata.some(folder => path.startsWith(folder))
}

/** What an uninstallation is there for. */
export function isUninstalled(scene: Scene, change: Change): boolean {
  const path = change.path.replace(/\/$/, '')
  const known = isOwn(scene, path) || scene.ownFolders.has(path) || scene.ownMetadata.includes(`${path}/`)
  return change.phase === 'uninstall' && change.kind === 'deleted' && known
}

/** Whether a task up to this one made it: then it is nobody else's. */
export function isMadeHere(scene: Scene, { path, phase }: Pick<Change, 'path' | 'phase'>): boolean {
  const tasks = taskNames.slice(0, taskNames.indexOf(phase) + 1)
  return changesOf(scene, tasks).some(change => change.path === path && change.kind === 'added')
}

/** The places a task is given to work in; what happens there is nobody else's business. */
export function isWorkspace(path: string): boolean {
  return /^\{(?:build|build-venv|wheel|tests|tmp)\}(?:\/|$)/.test(path)
}

/** Python's own cache of a compiled module, new beside its source. */
export function isByteCode(change: FileChange): boolean {
  return change.kind === 'added' && /(?:^|\/)__pycache__(?:\/[^/]+\.pyc)?$/.test(change.path)
}

/** A folder that is new only because something in it is. */
export function isNewFolder(change: FileChange): boolean {
  return change.kind !== 'deleted' && change.type === 'directory'
}
