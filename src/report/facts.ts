import type { TaskName } from '../wire/job.ts'
import type { TaskResults } from './evaluation.ts'
import { bounded, fit, number, plural } from './layout.ts'

/** What a line of the report says of each task besides how it ended. */
export const factsOf: Record<TaskName, (tasks: TaskResults) => string[]> = {
  static: ({ static: { findings, checks, checksFailed } }) =>
    checks + findings === 0
      ? []
      : [
          `${plural(findings, 'finding')}, ${number(checks - checksFailed.length)} of ${plural(checks, 'check')} passed`,
          ...bounded(
            checksFailed.map(({ check, why }) => `${fit(check, 60)}: ${fit(why, 120)}`),
            3,
          ),
        ],
  start: () => [],
  scripts: ({ scripts: { scripts, passed } }) =>
    scripts === 0 ? [] : [`${number(passed)} of ${plural(scripts, 'console script')} ran with --help`],
  clocks: ({ clocks }) =>
    clocks.shifts.map(
      ({ days, modules, tests, events }) =>
        `${plural(days, 'day')} ahead: ${plural(modules, 'module')} and ${plural(tests, 'test')} ended otherwise, ` +
        `${plural(events, 'event')} not seen today`,
    ),
  idle: () => [],
  uninstall: ({ uninstall: { left } }) => (left === 0 ? [] : [`${plural(left, 'file')} left behind`]),
  build: ({ build }) => (build.wheel === undefined ? [] : [build.wheel]),
  install: ({ install }) => [
    ...(install.files > 0 ? [plural(install.files, 'file')] : []),
    ...bounded(
      install.conflicts.map(conflict => `conflict: ${fit(conflict, 200)}`),
      3,
      install.conflictCount,
    ),
  ],
  import: ({ import: { modules, passed } }) =>
    modules === 0
      ? []
      : [
          passed === modules
            ? plural(modules, 'module')
            : `${number(passed)} of ${plural(modules, 'module')} imported`,
        ],
  unittest: ({ unittest }) => [...testCounts(unittest), ...coverageFacts(unittest)],
  quality: tasks => [...qualityFacts(tasks.quality), ...declaredFacts(tasks.static)],
}

function testCounts(unittest: TaskResults['unittest']): string[] {
  const counts: [number, string][] = [
    [unittest.passed, 'passed'],
    [unittest.failed, 'failed'],
    [unittest.errors, unittest.errors === 1 ? 'error' : 'errors'],
    [unittest.flakyCount, 'flaky'],
    [unittest.needsNetworkCount, unittest.needsNetworkCount === 1 ? 'needs the network' : 'need the network'],
    [unittest.skipped, 'skipped'],
    [unittest.xpassed, 'passed unexpectedly'],
    [unittest.omitted, 'not listed'],
  ]
  const told = counts.filter(([count]) => count > 0).map(([count, word]) => `${number(count)} ${word}`)
  if (told.length === 0) return []
  return [told.join(', ') + (unittest.runner === undefined ? '' : `  (${unittest.runner})`)]
}

function qualityFacts({
  tools,
  linesOfCode,
  messagesPerKlocX100: density,
}: TaskResults['quality']): string[] {
  if (tools.length === 0) return []
  const each = tools.map(({ tool, status, messages }) =>
    status === 'completed' ? `${tool} ${number(messages)}` : `${tool} ${status}`,
  )
  const scores = tools.flatMap(({ tool, scoreX100: score }) =>
    score === undefined ? [] : [`, ${tool} ${hundredths(score)} of 10`],
  )
  const codes = tools
    .flatMap(tool => tool.topCodes)
    .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
    .slice(0, 5)
    .map(({ code, count }) => `${fit(code, 40)} x${number(count)}`)
  const per = density === undefined ? '' : `, ${hundredths(density)} messages per 1,000 lines`
  return [
    `${plural(linesOfCode, 'line')} of code${per}${scores.join('')}`,
    `${each.join(', ')}${codes.length > 0 ? `; most often ${codes.join(', ')}` : ''}`,
  ]
}

/** Whole per cent, downwards: all lines only when it is all. */
export function coverageFacts({ coverage }: TaskResults['unittest']): string[] {
  if (coverage === undefined || coverage.executableLines === 0) return []
  const { executableLines, coveredLines } = coverage
  const percent = Math.floor((100 * coveredLines) / executableLines)
  return [
    `${percent} % of its own code covered (${number(coveredLines)} of ${plural(executableLines, 'line')})`,
  ]
}

const typedWords = {
  marker: 'typed',
  'stub-package': 'stubs only',
  'stub-files': 'stubs without py.typed',
  none: 'not typed',
} as const

/** Of the metadata: grade, licence, types, versions of Python. */
export function declaredFacts({ declared, metadataScore }: TaskResults['static']): string[] {
  if (declared === undefined) return []
  const { license, typed, python } = declared
  const [classifier] = license.classifiers
  const name = license.expression ?? classifier?.replace(/^License :: (OSI Approved :: )?/, '')
  const files = license.files.length > 0 ? plural(license.files.length, 'file') : 'no file'
  const versions = python.classifiers.length > 0 ? ` (names ${python.classifiers.join(' ')})` : ''
  const told = [
    ...(metadataScore === undefined ? [] : [`metadata ${metadataScore} of 10`]),
    license.from === 'none' ? `no licence named, ${files}` : `licence ${name ?? 'as free text'}, ${files}`,
    ...(license.missing.length > 0 ? [`${plural(license.missing.length, 'licence file')} missing`] : []),
    typedWords[typed],
    `Python ${python.requires ?? 'of any version'}${versions}`,
  ]
  return [fit(told.join('; '), 300)]
}

function hundredths(value: number): string {
  return `${number(Math.trunc(value / 100))}.${String(value % 100).padStart(2, '0')}`
}
