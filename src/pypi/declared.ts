import { type CoreMetadata, parseMetadata } from './core-metadata.ts'
import { parseEggRequires } from './egg-info.ts'
import { type Ini, linesOf } from './ini.ts'
import { type Marker, namedExtras } from './marker.ts'
import { normalizeName } from './names.ts'
import type { Pyproject } from './pyproject.ts'
import { parseRequirement, printRequirement, type Requirement, withExtras } from './requirement.ts'

/** What a distribution itself says it needs. */
export interface Declared {
  run: string[]
  /** By normalised name of the extra, without what everybody needs. */
  extras: Map<string, string[]>
  notes: string[]
}

/** METADATA of a wheel. */
export function declaredByWheel(texts: ReadonlyMap<string, string>): Declared {
  const path = [...texts.keys()].find(name => name.endsWith('/METADATA'))
  return fromMetadata(parseMetadata(texts.get(path ?? '') ?? ''))
}

/**
 * Of an sdist, the first that says something: PKG-INFO (when it lists requirements, or by version 2.2 promises that
 * they are complete), egg-info, `[project]`, setup.cfg.
 */
export function declaredBySdist(
  texts: ReadonlyMap<string, string>,
  pyproject: Pyproject | undefined,
  setupCfg: Ini,
): Declared {
  const info = parseMetadata(texts.get('PKG-INFO') ?? '')
  const dynamic = info.dynamic.includes('requires-dist')
  const promised = !dynamic && atLeast22(info.metadataVersion)
  if (info.requiresDist.length > 0 || promised) return fromMetadata(info)
  const eggs = [...texts.keys()].filter(path => path.includes('.egg-info/')).sort()
  if (eggs.length > 0) {
    const requires = eggs.find(path => path.endsWith('/requires.txt'))
    const { run, extras } = parseEggRequires(texts.get(requires ?? '') ?? '')
    return { run, extras: normalKeys(extras), notes: [] }
  }
  const project = pyproject?.project
  if (project && !project.dynamic.includes('dependencies'))
    return { run: project.dependencies, extras: normalKeys(project.extras), notes: [] }
  const install = setupCfg.get('options')?.get('install_requires')
  const extras = new Map(
    [...(setupCfg.get('options.extras_require') ?? [])].map(([name, value]) => [name, linesOf(value)]),
  )
  const known = install !== undefined || extras.size > 0
  return {
    run: linesOf(install),
    extras: normalKeys(extras),
    notes: known ? [] : ['requirements are not declared as text: only a build would tell them'],
  }
}

function fromMetadata(metadata: CoreMetadata): Declared {
  const lines = metadata.requiresDist.map(text => ({ text, parsed: conditionOf(text) }))
  const run = lines.filter(({ parsed }) => withExtras(parsed, [])).map(({ text }) => text)
  // Each line is asked only about the extras it names: all lines times all extras can take hours.
  const extras = new Map(
    metadata.providesExtra.map((extra): [string, string[]] => [normalizeName(extra), []]),
  )
  for (const { text, parsed } of lines) {
    if (!parsed.marker || withExtras(parsed, [])) continue
    for (const extra of namedExtras(parsed.marker)) {
      const decided = withExtras(parsed, [extra])
      if (!decided) continue
      const { requirement, marker } = decided
      extras.get(extra)?.push(requirement ? printRequirement({ ...requirement, marker }) : text)
    }
  }
  return { run, extras, notes: [] }
}

/** A line nobody can read counts for everybody: better refused in sight than lost. */
function conditionOf(text: string): { requirement?: Requirement; marker: Marker | undefined } {
  const parsed = parseRequirement(text)
  if (parsed.type === 'named') return { requirement: parsed.requirement, marker: parsed.requirement.marker }
  return { marker: parsed.type === 'url' ? parsed.marker : undefined }
}

function atLeast22(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 2)
}

function normalKeys(lists: Map<string, string[]>): Map<string, string[]> {
  return new Map([...lists].map(([name, list]) => [normalizeName(name), list]))
}
