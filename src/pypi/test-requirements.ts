import type { Declared } from './declared.ts'
import { type Ini, linesOf } from './ini.ts'
import { normalizeName } from './names.ts'
import type { Pyproject } from './pyproject.ts'
import { compiledFrom, type RequirementLines, readLines, readRequirementFile } from './requirement-files.ts'

const dedicated = ['test', 'tests', 'testing', 'unittest', 'unittests', 'unit-tests', 'pytest', 'hatch-test']
/** Often far more than tests need: asked only when nothing is named after tests. */
const catchAll = ['dev', 'develop', 'development', 'ci', 'qa', 'all']

/** Linters, packagers, documentation: large, and of no use to a test run, wherever a catch-all lists them. */
const notForTests =
  /^(?:ruff|mypy|ty|pyright|basedpyright|black|flake8\b.*|isort|pylint|pyflakes|pycodestyle|bandit|pre-?commit|sphinx\b.*|furo|mkdocs\b.*|myst-parser|twine|build|tox\b.*|nox|uv|codespell|bump-?my-?version|bump2version|towncrier|check-manifest|ipython|ipdb|jupyter\b.*|notebook|commitizen|zest-releaser)$/

const testFile =
  /(?:^|\/)(?:(?:tests?|testing|pytest)[-_.]?requirements?|requirements?[-_.](?:tests?|testing|pytest))\.(?:txt|in)$|(?:^|\/)requirements\/(?:tests?|testing|pytest)\.(?:txt|in)$|^tests?\/requirements?\.(?:txt|in)$/
const developmentFile =
  /(?:^|\/)(?:(?:dev|ci)[-_.]?requirements?|requirements?[-_.](?:dev|development|ci))\.(?:txt|in)$|(?:^|\/)requirements\/(?:dev|development|ci)\.(?:txt|in)$/

export interface TestSources {
  /** Normalised name of the subject. */
  project: string
  texts: ReadonlyMap<string, string>
  declared: Declared
  pyproject: Pyproject | undefined
  setupCfg: Ini
  tox: Ini
}

/**
 * Requirements of the tests, first those whose place says most: extras, dependency groups, tox, tests_require,
 * requirements files (package-testing.md section 8). `pytest` comes last, in case nobody named it.
 */
export function testRequirements(sources: TestSources): { requires: string[]; notes: string[] } {
  const notes: string[] = []
  const { project, texts, pyproject, setupCfg } = sources
  const note = (text: string) => notes.push(text)

  function named(names: string[], files: RegExp): string[] {
    const extras = names.flatMap(name => sources.declared.extras.get(name) ?? [])
    const groups = expandGroups(pyproject, names, notes)
    const tools = names.flatMap(name => pyproject?.tools.get(name) ?? [])
    const sourceOf = (path: string) => (texts.has(compiledFrom(path)) ? compiledFrom(path) : path)
    const paths = [...new Set([...texts.keys()].filter(path => files.test(path)).map(sourceOf))].sort()
    const seen = new Set<string>()
    const lines = paths.map(path => readRequirementFile(texts, path, project, seen))
    for (const file of lines) file.notes.forEach(note)
    return [...extras, ...groups, ...tools, ...lines.flatMap(file => file.lines)]
  }

  const own = [
    ...named(dedicated, testFile),
    ...toxRequirements(sources, notes),
    ...linesOf(setupCfg.get('options')?.get('tests_require')),
  ]
  const requires = own.length > 0 ? own : named(catchAll, developmentFile).filter(isForTests)
  return { requires: [...requires, 'pytest'], notes }
}

function isForTests(line: string): boolean {
  const name = /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(line.trim())?.[0] ?? ''
  return !notForTests.test(normalizeName(name))
}

const maximumDepth = 50

/** PEP 735: includes expanded, each group once; cycles and unknown groups refused. */
function expandGroups(pyproject: Pyproject | undefined, names: string[], notes: string[]): string[] {
  // Groups that include another twice, many levels deep, stand for more lines than there is time.
  const done = new Set<string>()
  return names.flatMap(name => expandGroup(pyproject, name, { notes, done, path: [] }))
}

function expandGroup(
  pyproject: Pyproject | undefined,
  name: string,
  { notes, done, path }: { notes: string[]; done: Set<string>; path: string[] },
): string[] {
  const wanted = normalizeName(name)
  const group = pyproject?.groups.get(wanted)
  if (!group) {
    if (path.length > 0) notes.push(`dependency group ${wanted.slice(0, 100)} does not exist`)
    return []
  }
  if (path.includes(wanted)) {
    notes.push(`dependency groups include each other: ${[...path, wanted].join(' -> ').slice(0, 500)}`)
    return []
  }
  if (path.length >= maximumDepth) {
    notes.push(
      `dependency group ${wanted.slice(0, 100)} is included through more than ${maximumDepth} others`,
    )
    return []
  }
  if (done.has(wanted)) return []
  done.add(wanted)
  return group.flatMap(entry =>
    typeof entry === 'string'
      ? [entry]
      : expandGroup(pyproject, entry['include-group'], { notes, done, path: [...path, wanted] }),
  )
}

function toxRequirements(sources: TestSources, notes: string[]): string[] {
  const { project, texts, declared, pyproject, tox } = sources
  const base = tox.get('testenv')
  const list = (key: string) => linesOf(base?.get(key)).flatMap(line => line.split(/[\s,]+/))
  const extras = [...list('extras'), ...(pyproject?.tox.extras ?? [])]
  const groups = [...list('dependency_groups'), ...(pyproject?.tox.groups ?? [])]
  const deps = [...linesOf(base?.get('deps')), ...(pyproject?.tox.deps ?? [])]
    .map(line => line.replaceAll(/\{(?:toxinidir|tox_root)\}\//g, ''))
    // `py38: name` and `{[other]deps}` hold in some environments only.
    .filter(line => !line.includes('{') && !/^[\w.,!-]+:\s/.test(line))
  const seen = new Set<string>()
  const read: RequirementLines = { lines: [], notes: [] }
  const include = (file: string) => readRequirementFile(texts, file, project, seen, read)
  readLines(deps.join('\n'), 'tox', project, include, read)
  for (const note of read.notes) notes.push(note)
  return [
    ...[...new Set(extras.map(normalizeName))].flatMap(name => declared.extras.get(name) ?? []),
    ...expandGroups(pyproject, groups, notes),
    ...read.lines,
  ]
}
