import { type Clock, rfc3339 } from '../clock.ts'
import { PytiError } from '../errors.ts'
import { sha256 } from '../wire/canonical.ts'
import type { ChangelogRow, HostedFile } from './embedded-pages.ts'
import { parseFilename } from './names.ts'

/** A file to serve; project and version follow from its name. `SampleDistribution` fits. */
export interface PublishedFile {
  filename: string
  bytes: Uint8Array
  requiresPython?: string
}

/** The files of the embedded index and the journal of what happened to them. */
export interface Shelf {
  changelog: ChangelogRow[]
  lastSerial(): number
  /** @throws PytiError `bad-filename` | `duplicate-file` */
  publish(...files: PublishedFile[]): void
  remove(filename: string): void
  find(filename: string): HostedFile | undefined
  /** Names of all projects, sorted. */
  projects(): string[]
  /** Files of one project as its page shows them, oldest first. */
  page(project: string): HostedFile[]
  freeze(project: string, frozen: boolean): void
  /** All files, newest first. */
  newest(): HostedFile[]
}

const firstSerial = 1_000

export function createShelf(clock: Clock): Shelf {
  const files: HostedFile[] = []
  const changelog: ChangelogRow[] = []
  const frozen = new Map<string, HostedFile[]>()
  const lastSerial = () => changelog.at(-1)?.[4] ?? firstSerial
  const ofProject = (name: string) => files.filter(file => file.project === name)
  const note = (name: string, version: string | null, action: string) =>
    changelog.push([name, version, Math.floor(clock.now() / 1000), action, lastSerial() + 1])

  const add = ({ filename, bytes, requiresPython }: PublishedFile) => {
    const { project, version, tags } = parseFilename(filename)
    const known = ofProject(project)
    if (known.some(file => file.filename === filename))
      throw new PytiError('duplicate-file', `${filename} is on the embedded index already`)
    if (known.length === 0) note(project, null, 'create')
    if (!known.some(file => file.version === version)) note(project, version, 'new release')
    note(project, version, `add ${tags?.pythons.join('.') ?? 'source'} file ${filename}`)
    files.push({
      filename,
      bytes,
      project,
      version,
      sha256: sha256(bytes),
      ...(requiresPython === undefined ? {} : { requiresPython }),
      uploaded: rfc3339(clock.now()),
      serial: lastSerial(),
    })
  }

  return {
    changelog,
    lastSerial,
    publish: (...added) => added.forEach(add),
    remove(filename) {
      const at = files.findIndex(file => file.filename === filename)
      const [gone] = at < 0 ? [] : files.splice(at, 1)
      if (gone) note(gone.project, gone.version, `remove file ${filename}`)
    },
    find: filename => files.find(file => file.filename === filename),
    projects: () => [...new Set(files.map(file => file.project))].sort(),
    page: project => frozen.get(project) ?? ofProject(project),
    freeze(project, keep) {
      if (keep) frozen.set(project, ofProject(project))
      else frozen.delete(project)
    },
    newest: () => files.toReversed(),
  }
}
