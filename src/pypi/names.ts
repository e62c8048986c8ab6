import { PytiError } from '../errors.ts'
import { DistributionFilename, type DistributionKind } from '../wire/job.ts'
import { parseVersion } from './version.ts'

/** Compatibility tags of a wheel's file name (PEP 425), compressed sets expanded. */
export interface WheelTags {
  pythons: string[]
  abis: string[]
  platforms: string[]
}

export interface ParsedFilename {
  /** Normalised (PEP 503). */
  project: string
  /** Normalised (PEP 440). */
  version: string
  kind: DistributionKind
  /** Wheels only. */
  tags?: WheelTags
  /** Build tag of a wheel, `''` when it has none. */
  build?: string
}

/** PEP 503. */
export function normalizeName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}

/**
 * Reads the file name of a wheel or sdist (packaging.python.org: binary and source distribution formats).
 * @param project when known, settles where the name of a legacy sdist ends
 * @throws PytiError `bad-filename`
 */
export function parseFilename(filename: string, project?: string): ParsedFilename {
  const parsed = tryParseFilename(filename, project)
  if (parsed) return parsed
  throw new PytiError(
    'bad-filename',
    `${JSON.stringify(filename.slice(0, 300))} does not name a wheel or sdist`,
    {
      hint: 'expected NAME-VERSION-PYTHON-ABI-PLATFORM.whl, NAME-VERSION.tar.gz or NAME-VERSION.zip',
    },
  )
}

export function tryParseFilename(filename: string, project?: string): ParsedFilename | undefined {
  if (!DistributionFilename.safeParse(filename).success) return undefined
  return filename.endsWith('.whl') ? wheel(filename) : sdist(filename, project)
}

function wheel(filename: string): ParsedFilename | undefined {
  const parts = filename.slice(0, -'.whl'.length).split('-')
  if (parts.length !== 5 && parts.length !== 6) return undefined
  const [name = '', version = ''] = parts
  const [pythons = '', abis = '', platforms = ''] = parts.slice(-3)
  const build = parts.length === 6 ? (parts[2] ?? '') : ''
  if (parts.length === 6 && !/^\d/.test(build)) return undefined
  const parsed = parseVersion(version.replaceAll('_', '-'))
  if (!parsed || !isName(name) || !pythons || !abis || !platforms) return undefined
  const tags = { pythons: pythons.split('.'), abis: abis.split('.'), platforms: platforms.split('.') }
  return { project: normalizeName(name), version: parsed.text, kind: 'wheel', tags, build }
}

function sdist(filename: string, project: string | undefined): ParsedFilename | undefined {
  const stem = filename.replace(/\.(?:tar\.gz|zip)$/, '')
  const cuts = [...stem.matchAll(/-/g)].map(match => match.index)
  const cut =
    project === undefined
      ? cuts.at(-1)
      : cuts.find(at => normalizeName(stem.slice(0, at)) === project && parseVersion(stem.slice(at + 1)))
  if (cut === undefined) return undefined
  const name = stem.slice(0, cut)
  const version = parseVersion(stem.slice(cut + 1))
  if (!version || !isName(name)) return undefined
  return { project: normalizeName(name), version: version.text, kind: 'sdist' }
}

function isName(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text)
}
