import { demandedBackend, type Profile, type TaskName, taskNames } from '../wire/job.ts'
import type { Evaluation, TaskResults, Verdict } from './evaluation.ts'
import { factsOf } from './facts.ts'
import { bounded, fit, lineWidth, painter, plain, plural, type Style, wrap } from './layout.ts'
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
const labelWidth = 11

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
    news(evaluation, paint),
    taskNames.filter(task => isShown(task, evaluation)).flatMap(task => taskLines(task, evaluation, paint)),
    failedTests(evaluation.tasks, paint),
    flakyTests(evaluation.tasks, paint),
    modules(evaluation.tasks, paint),
    scripts(evaluation.tasks, paint),
    excerpts(evaluation.tasks, extras, paint),
    findings(evaluation, paint),
    leftOut(evaluation, paint),
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

/** What a release does newly says more than all it does: it leads. */
function news({ since }: Evaluation, paint: Paint): string[] {
  if (!since) return []
  const { version, filename, added, addedCount, requirements } = since
  if (addedCount + requirements.length === 0)
    return [`Nothing was seen that ${plain(version)} (${plain(filename)}) did not do`]
  return [
    paint('bold', `New since ${plain(version)} (${plain(filename)})`),
    ...bounded(
      added.map(({ phase, evidence }) => `- ${fit(`${phase}: ${evidence}`, lineWidth - 4)}`),
      namesShown,
      addedCount,
    ).map(line => `  ${line}`),
    ...requirements.slice(0, namesShown).map(name => `  - requires ${fit(name, lineWidth - 13)}`),
  ]
}

/** What people ask first. The others have a line only when they have something to say. */
const mainTasks: readonly TaskName[] = ['build', 'install', 'import', 'unittest', 'quality']

function isShown(task: TaskName, { tasks, findings }: Evaluation): boolean {
  if (mainTasks.includes(task) || findings.some(({ phase }) => phase === task)) return true
  const { status, reason } = tasks[task]
  if (status !== 'passed')
    return reason !== 'not-requested' && reason !== 'bad-input' && reason !== 'no-scripts'
  return (task === 'scripts' && tasks.scripts.scripts > 0) || task === 'clocks'
}

/** Always there: what has no line above because it was not run, and what the guests could not see. */
function leftOut(evaluation: Evaluation, paint: Paint): string[] {
  const hidden = evaluation.notRun.filter(
    ({ task, reason }) => reason !== 'bad-input' && !isShown(task, evaluation),
  )
  const notRun = [...Map.groupBy(hidden, ({ explanation }) => explanation)].map(
    ([explanation, entries]) => `${entries.map(({ task }) => task).join(', ')}: ${explanation}`,
  )
  const notSeen = evaluation.notObserved.map(({ explanation }) => explanation)
  const every = evaluation.notRun.length === 0 ? ['nothing'] : ['nothing but the above']
  return [
    ...labelled('Not run', notRun.length > 0 ? notRun : every, paint),
    ...labelled('Not seen', notSeen, paint),
  ]
}

function labelled(label: string, texts: string[], paint: Paint): string[] {
  const lines = texts.flatMap(text => wrap(text, lineWidth - labelWidth))
  return lines.map((line, index) =>
    index === 0
      ? `${paint('bold', label)}${' '.repeat(labelWidth - label.length)}${line}`
      : `${' '.repeat(labelWidth)}${line}`,
  )
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
  const told = [...factsOf[task](tasks), ...why].filter(text => text !== '')
  return told.length > 0 ? told : ['']
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

function scripts({ scripts: { failedScripts, failed } }: TaskResults, paint: Paint): string[] {
  const names = failedScripts.map(
    ({ name, outcome, exitCode, signal }) =>
      `${name}: ${signal ?? (exitCode === undefined ? outcome : `exit code ${exitCode}`)}`,
  )
  return list('Console scripts that did not run', 'x', names, failed, paint)
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
