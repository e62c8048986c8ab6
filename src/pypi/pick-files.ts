import { PytiError } from '../errors.ts'
import type { GuestPlatform } from '../wire/job.ts'
import type { IndexFile, ProjectPage } from './index-page.ts'
import { type ParsedFilename, tryParseFilename } from './names.ts'
import { admitsPython } from './specifiers.ts'
import { bestWheel } from './tags.ts'
import { compareVersions, isPrerelease, parseVersion, type Version } from './version.ts'

export interface PickedFiles {
  /** Normalised (PEP 440). */
  version: string
  /** Absent when no wheel of the release runs in the guest. */
  wheel?: IndexFile
  sdist?: IndexFile
}

interface Candidate {
  version: Version
  files: { file: IndexFile; parsed: ParsedFilename }[]
}

/**
 * The files of one release: the version asked for, else the newest that is neither yanked nor (unless there is
 * nothing else) a pre-release, and whose `Requires-Python` admits `python`.
 * @throws PytiError `version-not-found`
 */
export function pickFiles(page: ProjectPage, options: GuestPlatform & { version?: string }): PickedFiles {
  const { python } = options
  const releases = groupByVersion(page)
  const chosen = options.version === undefined ? newest(releases, python) : exact(releases, options.version)
  if (!chosen) throw notFound(page.project, options.version, releases)
  const wheel = bestWheel(
    chosen.files.filter(({ parsed }) => parsed.kind === 'wheel'),
    options,
  )
  const sdists = chosen.files.filter(({ parsed }) => parsed.kind === 'sdist').map(({ file }) => file)
  const sdist = sdists.find(file => file.filename.endsWith('.tar.gz')) ?? sdists[0]
  return { version: chosen.version.text, ...(wheel ? { wheel } : {}), ...(sdist ? { sdist } : {}) }
}

/** Newest first. */
function groupByVersion(page: ProjectPage): Candidate[] {
  const releases = new Map<string, Candidate>()
  for (const file of page.files) {
    const parsed = tryParseFilename(file.filename, page.project)
    const version = parsed && parseVersion(parsed.version)
    if (!version) continue
    const key = version.text.replace(/(?:\.0)+(?=$|[^.\d])/, '')
    const release = releases.get(key) ?? { version, files: [] }
    release.files.push({ file, parsed })
    releases.set(key, release)
  }
  return [...releases.values()].sort((a, b) => compareVersions(b.version, a.version))
}

function exact(releases: Candidate[], text: string): Candidate | undefined {
  const wanted = parseVersion(text)
  return wanted && releases.find(({ version }) => compareVersions(version, wanted) === 0)
}

function newest(releases: Candidate[], python: string): Candidate | undefined {
  const offered = releases
    .map(release => ({ ...release, files: release.files.filter(({ file }) => !file.yanked) }))
    .filter(({ files }) => files.length > 0)
  const final = offered.filter(({ version }) => !isPrerelease(version))
  const wanted = final.length > 0 ? final : offered
  return wanted.find(({ files }) => files.some(({ file }) => admits(file, python))) ?? wanted[0]
}

function admits(file: IndexFile, python: string): boolean {
  return admitsPython(file.requiresPython, python)
}

function notFound(project: string, version: string | undefined, releases: Candidate[]): PytiError {
  const newestFew = releases.slice(0, 5).map(release => release.version.text)
  return version === undefined
    ? new PytiError('version-not-found', `${project} has no release with a wheel or sdist`)
    : new PytiError('version-not-found', `${project} has no version ${version.slice(0, 100)}`, {
        hint:
          newestFew.length > 0
            ? `the newest are ${newestFew.join(', ')}`
            : 'the project has no wheels or sdists at all',
      })
}
