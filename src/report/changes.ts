import type { TaskName } from '../wire/job.ts'
import type { FileChange, RawData, TaskRecords } from '../wire/raw-data.ts'

/** A rule looks at one raw data, whose stable halves stand for all that agree with it. */
export interface Scene {
  readonly intake: RawData['intake']['stable']
  readonly tasks: TaskRecords
  /** Paths of the distribution's own installed files. */
  readonly own: ReadonlySet<string>
  /** Folders such as `{site}/name-1.0.dist-info`, in which an installer adds files of its own. */
  readonly ownMetadata: readonly string[]
}

/** Tasks that run code of the distribution. */
export const runningTasks = ['build', 'install', 'import', 'unittest'] as const satisfies readonly TaskName[]

export interface Change extends FileChange {
  readonly phase: TaskName
}

export function sceneOf(rawData: RawData): Scene {
  const files = rawData.tasks.install?.stable.files.map(file => file.path) ?? []
  const folders = files.map(path => /^\{site\}\/([^/]+)-[^/-]+\.dist-info\//.exec(path))
  const metadata = folders.filter(folder => normalise(folder?.[1] ?? '') === rawData.subject.project)
  return {
    intake: rawData.intake.stable,
    tasks: rawData.tasks,
    own: new Set(files),
    ownMetadata: [...new Set(metadata.map(folder => folder?.[0] ?? ''))],
  }
}

/** PEP 503. A RECORD may list anything, also another distribution's metadata. */
function normalise(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
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
