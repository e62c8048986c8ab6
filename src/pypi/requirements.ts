import type { DistributionKind } from '../wire/job.ts'
import { buildRequirements } from './build-requirements.ts'
import { parseMetadata } from './core-metadata.ts'
import { declaredBySdist, declaredByWheel } from './declared.ts'
import { parseIni } from './ini.ts'
import { type Marker, printMarker } from './marker.ts'
import { parsePyproject } from './pyproject.ts'
import { parseRequirement, printRequirement, type Requirement, withExtras } from './requirement.ts'
import { testRequirements } from './test-requirements.ts'

export type Group = 'build' | 'run' | 'test'

export interface CollectedRequirements {
  /** PEP 508 texts on names of the index only; the subject itself is only in `build`. */
  build: string[]
  run: string[]
  /** What the tests need beyond `run`, the most trustworthy source first. */
  test: string[]
  /** PEP 517 backend of an sdist. */
  backend?: string
  requiresPython?: string
  /** Requirements of `build` and `run` that cannot be met: URLs, and lines nobody can read. */
  refused: { group: Group; requirement: string }[]
  notes: string[]
}

const maximumPerGroup = 500
const maximumExpansions = 1_000
const maximumDepth = 20
const maximumLines = 100_000

/**
 * Reads what a distribution needs out of its texts (`inspectArchive`). Nothing is run: what only a build would tell
 * is not known, and said in `notes`.
 * @param project normalised name of the subject
 */
export function collectRequirements(
  texts: ReadonlyMap<string, string>,
  kind: DistributionKind,
  project: string,
): CollectedRequirements {
  const pyprojectText = texts.get('pyproject.toml')
  const pyproject = pyprojectText === undefined ? undefined : parsePyproject(pyprojectText)
  const setupCfg = parseIni(texts.get('setup.cfg') ?? '')
  const tox = parseIni(texts.get('tox.ini') ?? '')
  const declared = kind === 'wheel' ? declaredByWheel(texts) : declaredBySdist(texts, pyproject, setupCfg)
  const build = kind === 'wheel' ? undefined : buildRequirements(pyproject, setupCfg)
  const tests = testRequirements({ project, texts, declared, pyproject, setupCfg, tox })
  const metadata = [...texts].find(([path]) => path === 'PKG-INFO' || path.endsWith('/METADATA'))?.[1]
  const { requiresPython } = parseMetadata(metadata ?? '')

  const notes = [...declared.notes, ...tests.notes]
  if (pyprojectText !== undefined && !pyproject) notes.push('pyproject.toml is not TOML')
  const refused: CollectedRequirements['refused'] = []
  const clean = (group: Group, lines: string[]) => {
    // A build environment is one of its own: there the subject is a package like any other (bootstrapping).
    const own = expandOwn(lines, group === 'build' ? undefined : project, declared.extras)
    // One by one: there may be more of them than a call takes arguments.
    for (const line of own.bad) {
      notes.push(`${group}: left out ${JSON.stringify(line.slice(0, 200))}`)
      if (group !== 'test') refused.push({ group, requirement: line.slice(0, 1_000) })
    }
    if (own.cut) notes.push(`${group}: only the first ${maximumLines} lines count`)
    const texts = [...new Set(own.good.map(printRequirement))]
    if (texts.length > maximumPerGroup)
      notes.push(`${group}: only the first ${maximumPerGroup} requirements count`)
    return texts.slice(0, maximumPerGroup)
  }
  return {
    build: clean('build', build?.requires ?? []),
    run: clean('run', declared.run),
    test: clean('test', tests.requires),
    ...(build ? { backend: build.backend } : {}),
    ...(requiresPython === undefined ? {} : { requiresPython }),
    refused,
    notes: [...new Set(notes)],
  }
}

/** Replaces `SUBJECT[extra]` by what that extra stands for: the subject comes from its own file, never from the index. */
function expandOwn(
  lines: string[],
  project: string | undefined,
  extras: ReadonlyMap<string, string[]>,
): { good: Requirement[]; bad: string[]; cut: boolean } {
  const result: ReturnType<typeof expandOwn> = { good: [], bad: [], cut: false }
  let visits = 0
  const expanded = new Set<string>()
  function visit(line: string, condition: Marker | undefined, path: string[]): void {
    if (++visits > maximumLines) {
      result.cut = true
      return
    }
    const parsed = parseRequirement(line)
    if (parsed.type !== 'named') {
      if (parsed.type === 'bad' || parsed.name !== project) result.bad.push(line)
      return
    }
    const decided = withExtras(parsed.requirement, [])
    if (!decided) return
    const requirement = { ...decided, marker: both(condition, decided.marker) }
    if (requirement.name !== project) {
      result.good.push(requirement)
      return
    }
    for (const extra of requirement.extras) {
      const key = `${extra} ${requirement.marker ? printMarker(requirement.marker) : ''}`
      if (path.length >= maximumDepth || path.includes(extra)) continue
      if (expanded.has(key) || expanded.size >= maximumExpansions) continue
      expanded.add(key)
      for (const inner of extras.get(extra) ?? []) visit(inner, requirement.marker, [...path, extra])
    }
  }
  for (const line of lines) visit(line, undefined, [])
  return result
}

function both(left: Marker | undefined, right: Marker | undefined): Marker | undefined {
  return left && right ? { type: 'and', left, right } : (left ?? right)
}
