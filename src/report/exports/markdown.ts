import { type TaskName, taskNames } from '../../wire/job.ts'
import type { Evaluation, Finding } from '../evaluation.ts'
import { coverageFacts } from '../facts.ts'
import { number, plural } from '../layout.ts'
import { rules } from '../rules.ts'
import { reasonWords, verdictWords } from '../words.ts'
import { code, evidenceLines } from './foreign.ts'
import { agreementWords, backendsOf, type ExportInput } from './input.ts'

const findingsShown = 12
const evidenceShown = 5
const namesShown = 8
/** Sentences of our own, which need no code span. */
const ownSentences: ReadonlySet<string> = new Set(Object.values(reasonWords))

/** A summary for people, small enough for a comment (below 40,000 characters). What is not ours is in code spans. */
export function renderMarkdown(input: ExportInput): string {
  const { evaluation } = input
  const blocks = [
    heading(input),
    section(`New since ${code(evaluation.since?.version ?? '')}`, newLines(evaluation)),
    taskTable(evaluation),
    section('Findings', findingLines(evaluation.findings)),
    section('Failed tests', names(evaluation.tasks.unittest.failedTests, failedCount(evaluation))),
    section('Flaky tests', names(evaluation.tasks.unittest.flaky, evaluation.tasks.unittest.flakyCount)),
    section('Modules that could not be imported', moduleLines(evaluation)),
    section('Console scripts that did not run', scriptLines(evaluation)),
    section('Checks that did not pass', checkLines(evaluation)),
    section('Conflicts', names(evaluation.tasks.install.conflicts, evaluation.tasks.install.conflictCount)),
    section('Not run, and why', notRunLines(evaluation)),
    section('Agreement', agreementLines(input)),
    verifyLines(input),
  ]
  return `${blocks.filter(block => block.length > 0).join('\n\n')}\n`
}

function heading({ evaluation, verificationResult }: ExportInput): string {
  const { subject, verdict } = evaluation
  return [
    `### PyTI: ${verdict.toUpperCase()}, ${verificationResult}: ${code(`${subject.project} ${subject.version}`)}`,
    `${code(subject.filename)} (${subject.kind}, ${plural(subject.size, 'byte')}), sha256 ${code(subject.sha256)}`,
    `**${verdict}**: ${verdictWords[verdict]}.`,
  ].join('\n\n')
}

function newLines({ since }: Evaluation): string[] {
  if (!since) return []
  const shown = since.added.slice(0, namesShown).map(({ phase, evidence }) => `- ${phase}: ${code(evidence)}`)
  const more = since.addedCount - shown.length
  return [
    ...shown,
    ...(more > 0 ? [`- and ${number(more)} more`] : []),
    ...since.requirements.slice(0, namesShown).map(name => `- requires ${code(name)}`),
  ]
}

function taskTable({ tasks }: Evaluation): string {
  const rows = taskNames.map(task => `| ${task} | ${tasks[task].status} | ${facts(task, tasks)} |`)
  return ['| task | result | |', '|---|---|---|', ...rows].join('\n')
}

/** Counts and words of our own only: a code span does not keep a table's cell together. */
function facts(task: TaskName, tasks: Evaluation['tasks']): string {
  const { reason, signal, exitCode } = tasks[task]
  const end =
    signal ?? (reason === 'exit-code' && exitCode !== undefined ? `exit code ${exitCode}` : undefined)
  const why = reason === undefined ? [] : [end === undefined ? reason : `${reason} (${end})`]
  return [...(countsOf[task]?.(tasks) ?? []), ...why].join(', ')
}

const countsOf: Partial<Record<TaskName, (tasks: Evaluation['tasks']) => string[]>> = {
  static: ({ static: { findings, checks, checksFailed } }) =>
    checks + findings === 0
      ? []
      : [
          plural(findings, 'finding'),
          `${number(checks - checksFailed.length)} of ${plural(checks, 'check')} passed`,
        ],
  scripts: ({ scripts: { scripts, passed } }) =>
    scripts > 0 ? [`${number(passed)} of ${plural(scripts, 'console script')}`] : [],
  clocks: ({ clocks }) =>
    clocks.shifts.map(
      ({ days, modules, tests, events }) =>
        `${plural(days, 'day')} ahead: ${plural(modules + tests, 'other end')}, ${plural(events, 'new event')}`,
    ),
  uninstall: ({ uninstall: { left } }) => (left > 0 ? [`${plural(left, 'file')} left behind`] : []),
  install: ({ install }) => (install.files > 0 ? [plural(install.files, 'file')] : []),
  import: ({ import: { modules, passed } }) =>
    modules > 0 ? [`${number(passed)} of ${plural(modules, 'module')}`] : [],
  unittest: ({ unittest }) => {
    const counts: [number, string][] = [
      [unittest.passed, 'passed'],
      [unittest.failed, 'failed'],
      [unittest.errors, 'with errors'],
      [unittest.flakyCount, 'flaky'],
      [unittest.needsNetworkCount, 'without the network they need'],
      [unittest.skipped, 'skipped'],
      [unittest.xpassed, 'passed unexpectedly'],
      [unittest.omitted, 'not listed'],
    ]
    const told = counts.filter(([count]) => count > 0).map(([count, word]) => `${number(count)} ${word}`)
    return [...told, ...coverageFacts(unittest)]
  },
  quality: ({ quality }) =>
    quality.tools.length === 0
      ? []
      : [
          plural(quality.linesOfCode, 'line'),
          ...quality.tools.map(({ tool, status, messages }) =>
            status === 'completed' ? `${tool} ${number(messages)}` : `${tool} ${status}`,
          ),
        ],
}

function section(title: string, lines: string[]): string {
  return lines.length === 0 ? '' : `#### ${title}\n\n${lines.join('\n')}`
}

function names(list: readonly string[], total: number): string[] {
  const shown = list.slice(0, namesShown).map(name => `- ${code(name)}`)
  return total > shown.length ? [...shown, `- and ${number(total - shown.length)} more`] : shown
}

function failedCount({ tasks: { unittest } }: Evaluation): number {
  return unittest.failed + unittest.errors
}

function moduleLines({ tasks }: Evaluation): string[] {
  const { failedModules, failed } = tasks.import
  return names(
    failedModules.map(({ name, outcome, error, signal }) => `${name}: ${error ?? signal ?? outcome}`),
    failed,
  )
}

function scriptLines({ tasks: { scripts } }: Evaluation): string[] {
  return names(
    scripts.failedScripts.map(({ name, outcome, signal }) => `${name}: ${signal ?? outcome}`),
    scripts.failed,
  )
}

function checkLines({ tasks }: Evaluation): string[] {
  const { checksFailed } = tasks.static
  return names(
    checksFailed.map(({ check, why }) => `${check}: ${why}`),
    checksFailed.length,
  )
}

function findingLines(findings: readonly Finding[]): string[] {
  const shown = findings.slice(0, findingsShown).flatMap(({ id, level, phase, evidence }) => {
    const lines = evidenceLines(evidence)
    const more = lines.length - evidenceShown
    return [
      `- **${level}** ${code(id)} during ${phase}. ${rules.find(rule => rule.id === id)?.reason ?? ''}`.trimEnd(),
      ...lines.slice(0, evidenceShown).map(line => `  - ${code(line)}`),
      ...(more > 0 ? [`  - and ${more} more`] : []),
    ]
  })
  const more = findings.length - findingsShown
  return more > 0 ? [...shown, `- and ${more} more`] : shown
}

function notRunLines({ notRun, notObserved }: Evaluation): string[] {
  const lines = [
    ...notRun.map(
      ({ task, explanation }) =>
        `- ${task}: ${ownSentences.has(explanation) ? explanation : code(explanation, 600)}`,
    ),
    ...notObserved.map(({ observer, explanation }) => `- seeing ${observer}: ${explanation}`),
  ]
  return lines.length === 0 ? ['Nothing was left out.'] : lines
}

function agreementLines(input: ExportInput): string[] {
  const { agreeing, job } = input
  return [
    `${agreementWords(input)} agree (Python ${job.definition.profile.python}, VMs on ${backendsOf(input)}).` +
      (agreeing < 3 ? ' A report by fewer than 3 volunteers is for your own eyes.' : ''),
  ]
}

function verifyLines({ evaluation, reportKey, digests, timeVerified }: ExportInput): string {
  const { filename } = evaluation.subject
  return [
    '#### Check it yourself, offline',
    `    pyti verify ${filename}.intoto.jsonl --distribution ${filename} --key ${reportKey}`,
    `Take the key from the coordinator's operator, not from here. Report ${code(digests.report)} of ${timeVerified}; the bundle's sha256 is ${code(digests.bundle)}. It is about the file with the SHA-256 above and no other.`,
  ].join('\n\n')
}
