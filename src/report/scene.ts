import type { TaskName } from '../wire/job.ts'
import type { RawData, TaskRecords } from '../wire/raw-data.ts'

/** A rule looks at one raw data, whose stable halves stand for all that agree with it. */
export interface Scene {
  readonly intake: RawData['intake']['stable']
  readonly tasks: TaskRecords
  /** Paths of the distribution's own installed files. */
  readonly own: ReadonlySet<string>
  /** Folders that hold an own file. */
  readonly ownFolders: ReadonlySet<string>
  /** Folders such as `{site}/name-1.0.dist-info`, in which an installer adds files of its own. */
  readonly ownMetadata: readonly string[]
  /** SHA-256 of the distribution's files, installed or in its wheel. */
  readonly contents: ReadonlySet<string>
  /** Normalised names of everything that is installed beside it, for any purpose. */
  readonly packages: ReadonlySet<string>
  /** It has an entry point that another program, such as pytest, loads by itself. */
  readonly autoloads: boolean
}

/** Tasks that run code of the distribution. */
export const runningTasks = [
  'build',
  'install',
  'start',
  'import',
  'scripts',
  'unittest',
  'clocks',
  'idle',
  'uninstall',
] as const satisfies readonly TaskName[]

/** Those whose doings nobody asked for: tests start servers and programs, and write files, by design. */
export const tellingTasks = runningTasks.filter(task => task !== 'unittest')

/** Rules of the guest image for entry points that are loaded without being asked for. */
const autoload = /autoload/

export function sceneOf(rawData: RawData): Scene {
  const { install, build } = rawData.tasks
  const files = install?.stable.files.map(file => file.path) ?? []
  const folders = files.map(path => /^\{site\}\/([^/]+)-[^/-]+\.dist-info\//.exec(path))
  const metadata = folders.filter(folder => normalise(folder?.[1] ?? '') === rawData.subject.project)
  const { packages } = rawData.intake.stable
  return {
    intake: rawData.intake.stable,
    tasks: rawData.tasks,
    own: new Set(files),
    ownFolders: new Set(files.flatMap(foldersOf)),
    ownMetadata: [...new Set(metadata.map(folder => folder?.[0] ?? ''))],
    contents: new Set(
      [...(install?.stable.files ?? []), ...(build?.stable.wheel?.files ?? [])].map(file => file.sha256),
    ),
    packages: new Set(
      [...packages.build, ...packages.run, ...packages.test].map(({ name }) => normalise(name)),
    ),
    autoloads: rawData.tasks.static?.stable.findings.some(({ rule }) => autoload.test(rule)) ?? false,
  }
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/')).slice(1)
}

/** PEP 503. A RECORD may list anything, also another distribution's metadata. */
function normalise(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}
