import { demandedBackend, type Profile, type TaskName, taskNames } from '../wire/job.ts'
import type { Evaluation, TaskResults, Verdict } from './evaluation.ts'
import { bounded, fit, lineWidth, number, painter, plain, plural, type Style, wrap } from './layout.ts'
import { rules } from './rules.ts'
import { reasonWords, verdictWords } from './words.ts'

export interface ReportExtras {
  /** How many volunteers handed in raw data, and how many of them agree. */
  readonly volunteers: number
  readonly agreeing: number
  /** `kvm`, `uml`, `tcg`, or several of them. */
  readonly backend: string
  /** What the job asked for. */
  readonly profile?: Pick<Profile, 'python' | 'backend'>
  /** From asking to report. */
  readonly seconds: number
  /** A few lines per task that a person wants to see first, from a volatile half. */
  readonly excerpts?: Partial<Record<TaskName, string>>
  /** Where the report bundle is. */
  readonly report?: string
  readonly colour?: boolean
}

type Paint = (style: Style, text: string) => string

const namesShown = 8
const excerptLines = 8
const column = 23

const verdictStyles: Record<Verdict, Style> = {
  clean: 'green',
  observed: 'cyan',
  suspicious: 'yellow',
  confirmed: 'red',
  unresolved: 'yellow',
  'bad-input': 'red',
}
const statusStyles: Record<TaskResults['build']['status'], Style> = {
  passed: 'green',
  failed: 'red',
  flaky: 'yellow',
  unsupported: 'cyan',
  'not-run': 'dim',
}

/** The report as a package author reads it in a terminal: plain ASCII, at most 100 columns, ends with a newline. */
export function renderReport(evaluation: Evaluation, extras: ReportExtras): string {
  const paint = painter(extras.colour ?? false)
  const blocks = [
    heading(evaluation, paint),
    verdictLines(evaluation, paint),
    taskNames.flatMap(task => taskLines(task, evaluation, paint)),
    failedTests(evaluation.tasks, paint),
    flakyTests(evaluation.tasks, paint),
    modules(evaluation.tasks, paint),
    excerpts(evaluation.tasks, extras, paint),
    findings(evaluation, paint),
    agreement(extras, paint),
  ]
  return blocks
    .filter(block => block.length > 0)
    .map(block => `${block.join('\n')}\n`)
    .join('\n')
}

function heading({ subject }: Evaluation, paint: Paint): string[] {
  const title = paint('bold', `${plain(subject.project)} ${plain(subject.version)}`)
  return [
    `${title}  ${plain(subject.filename)}  (${subject.kind}, ${plural(subject.size, 'byte')})`,
    paint('dim', `sha256 ${subject.sha256}`),
  ]
}

function verdictLines({ verdict, notRun }: Evaluation, paint: Paint): string[] {
  const badInput = verdict === 'bad-input' ? notRun.find(entry => entry.reason === 'bad-input') : undefined
  const word = paint(verdictStyles[verdict], paint('bold', verdict.toUpperCase()))
  return [
    `${word}  ${verdictWords[verdict]}`,
    ...(badInput ? wrap(badInput.explanation, lineWidth - 2).map(line => `  ${line}`) : []),
  ]
}

function taskLines(task: TaskName, evaluation: Evaluation, paint: Paint): string[] {
  const result = evaluation.tasks[task]
  const lines = detail(task, evaluation).flatMap(text => wrap(text, lineWidth - column))
  const status = paint(statusStyles[result.status], result.status.padEnd(11))
  return lines.map((line, index) =>
    `${index === 0 ? `  ${task.padEnd(10)}${status}` : ' '.repeat(column)}${line}`.trimEnd(),
  )
}

function detail(task: TaskName, { tasks, notRun }: Evaluation): string[] {
  const result = tasks[task]
  const explanation = notRun.find(entry => entry.task === task)?.explanation
  if (result.reason === 'bad-input') return ['']
  if (result.status === 'not-run') return [explanation ?? '']
  const end = [
    result.signal === undefined ? '' : ` (${result.signal})`,
    result.signal === undefined && result.exitCode !== undefined && result.reason === 'exit-code'
      ? ` (exit code ${result.exitCode})`
      : '',
  ].join('')
  const why = result.reason === undefined ? [] : [`${explanation ?? reasonWords[result.reason]}${end}`]
  return [...facts[task](tasks), ...why].filter((text, index) => text !== '' || index === 0)
}

const facts: Record<TaskName, (tasks: TaskResults) => string[]> = {
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
  unittest: ({ unittest }) => testCounts(unittest),
  quality: ({ quality }) => qualityFacts(quality),
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
  const codes = tools
    .flatMap(tool => tool.topCodes)
    .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
    .slice(0, 5)
    .map(({ code, count }) => `${fit(code, 40)} x${number(count)}`)
  const per = density === undefined ? '' : `, ${hundredths(density)} messages per 1,000 lines`
  return [
    `${plural(linesOfCode, 'line')} of code${per}`,
    `${each.join(', ')}${codes.length > 0 ? `; most often ${codes.join(', ')}` : ''}`,
  ]
}

function hundredths(value: number): string {
  return `${number(Math.trunc(value / 100))}.${String(value % 100).padStart(2, '0')}`
}

function list(title: string, mark: string, names: string[], total: number, paint: Paint): string[] {
  if (names.length === 0) return []
  const lines = names.map(name => `${mark} ${fit(name, lineWidth - 4)}`)
  return [paint('bold', title), ...bounded(lines, namesShown, total).map(line => `  ${line}`)]
}

function failedTests({ unittest }: TaskResults, paint: Paint): string[] {
  return list('Failed tests', 'x', unittest.failedTests, unittest.failed + unittest.errors, paint)
}

function flakyTests({ unittest }: TaskResults, paint: Paint): string[] {
  return list(
    'Flaky tests (the same file gave different outcomes)',
    '~',
    unittest.flaky,
    unittest.flakyCount,
    paint,
  )
}

function modules({ import: { failedModules, failed } }: TaskResults, paint: Paint): string[] {
  const names = failedModules.map(
    ({ name, outcome, error, signal }) => `${name}: ${error ?? signal ?? outcome}`,
  )
  return list('Modules that could not be imported', 'x', names, failed, paint)
}

function excerpts(tasks: TaskResults, extras: ReportExtras, paint: Paint): string[] {
  return taskNames.flatMap(task => {
    const lines = extras.excerpts?.[task]?.trimEnd().split(/\r?\n/) ?? []
    if (tasks[task].status !== 'failed' || lines.length === 0) return []
    const shown = lines.slice(-excerptLines).map(line => `  | ${fit(line, lineWidth - 4)}`.trimEnd())
    return [paint('bold', `Last words of ${task}`), ...shown]
  })
}

function findings({ findings }: Evaluation, paint: Paint): string[] {
  if (findings.length === 0) return []
  const lines = findings.flatMap(({ id, level, phase, evidence }) => [
    `  ${paint(verdictStyles[level], level)}  ${id}, during ${phase}`,
    ...wrap(rules.find(rule => rule.id === id)?.reason ?? '', lineWidth - 6).map(line => `      ${line}`),
    ...evidence
      .split('; ')
      .flatMap(item =>
        wrap(item, lineWidth - 8).map((line, index) => `      ${index === 0 ? '-' : ' '} ${line}`),
      ),
  ])
  return [paint('bold', 'Findings'), ...lines]
}

function agreement(extras: ReportExtras, paint: Paint): string[] {
  const { volunteers, agreeing, seconds, report } = extras
  const dissent = volunteers - agreeing
  const against = dissent > 0 ? `, ${plural(dissent, 'dissent')} kept in the report` : ''
  return [
    `${paint('bold', 'Agreement')}  ${agreeing} of ${plural(volunteers, 'volunteer')}${against}` +
      `  (${machine(extras)}, ${seconds.toFixed(1)} s)`,
    ...(report === undefined ? [] : [`${paint('bold', 'Report')}     ${plain(report)}`]),
  ]
}

function machine({ backend, profile }: ReportExtras): string {
  if (profile === undefined) return plain(backend)
  const demanded = demandedBackend(profile)
  const words = demanded === undefined ? '' : demanded === backend ? ' as demanded' : `, ${demanded} demanded`
  return `Python ${profile.python}, ${plain(backend)}${words}`
}
