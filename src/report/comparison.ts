import { PytiError } from '../errors.ts'
import { taskNames } from '../wire/job.ts'
import type { RawData } from '../wire/raw-data.ts'
import type { Evaluation } from './evaluation.ts'
import { fit, lineWidth, plain } from './layout.ts'
import { type NewBehaviour, newBehaviour } from './new-behaviour.ts'

/** A verified report, and the raw data of one of the volunteers that agree on it. */
export interface Release {
  readonly evaluation: Evaluation
  readonly rawData: RawData
}

/** What `pyti compare --json` prints. Computed from two verified reports; it is in neither. */
export interface Comparison extends NewBehaviour {
  readonly schema: 'pyti.compare/1'
  readonly previous: Side
  readonly current: Side
  /** Rules met by the current release in a task in which the previous one did not meet them. */
  readonly findings: Evaluation['findings']
  /** Tasks that ended otherwise. */
  readonly tasks: { task: string; previous: string; current: string }[]
  /** Tests that passed and do not any more. */
  readonly tests: string[]
  /** Why a difference may be one of the machines and not of the releases. */
  readonly notes: string[]
}
type Side = Pick<Evaluation['subject'], 'filename' | 'version' | 'sha256'> & Pick<Evaluation, 'verdict'>

/** @throws PytiError `usage` when the reports are about two projects, or a wheel and an sdist */
export function compareReleases(previous: Release, current: Release): Comparison {
  const [before, after] = [previous.evaluation.subject, current.evaluation.subject]
  if (before.project !== after.project || before.kind !== after.kind)
    throw new PytiError(
      'usage',
      `${before.filename} and ${after.filename} are not two releases of one kind`,
      {
        hint: 'compare an sdist with an sdist, or a wheel with a wheel, of one project',
      },
    )
  const known = new Set(previous.evaluation.findings.map(({ id, phase }) => `${id} ${phase}`))
  const tests = previous.rawData.tasks.unittest?.stable.tests ?? {}
  const now = current.rawData.tasks.unittest?.stable.tests ?? {}
  return {
    schema: 'pyti.compare/1',
    previous: sideOf(previous.evaluation),
    current: sideOf(current.evaluation),
    ...newBehaviour(previous.rawData, current.rawData),
    findings: current.evaluation.findings.filter(({ id, phase }) => !known.has(`${id} ${phase}`)),
    tasks: taskNames.flatMap(task => {
      const [was, is] = [previous.evaluation.tasks[task].status, current.evaluation.tasks[task].status]
      return was === is ? [] : [{ task, previous: was, current: is }]
    }),
    tests: Object.keys(tests)
      .filter(test => tests[test] === 'passed' && (now[test] === 'failed' || now[test] === 'error'))
      .sort(),
    notes: notesOf(previous.rawData, current.rawData),
  }
}

function sideOf({ subject: { filename, version, sha256 }, verdict }: Evaluation): Side {
  return { filename, version, sha256, verdict }
}

function notesOf({ guest: before }: RawData, { guest: after }: RawData): string[] {
  return [
    ...(before.stable.image === after.stable.image ? [] : ['The guests were made from different images.']),
    ...(before.stable.python === after.stable.python
      ? []
      : [`The guests had Python ${before.stable.python} and ${after.stable.python}.`]),
    ...(before.stable.observers.join() === after.stable.observers.join()
      ? []
      : ['Not the same ways of watching worked in both.']),
  ]
}

const listShown = 20

/** For a terminal: plain ASCII, new behaviour first, ends with a newline. */
export function renderComparison(comparison: Comparison): string {
  const { previous, current, added, gone, requirements, findings, tasks, tests, notes } = comparison
  const blocks = [
    [`${plain(previous.filename)} is ${previous.verdict}, ${plain(current.filename)} is ${current.verdict}`],
    added.length === 0
      ? ['New: nothing was seen that the previous release did not do']
      : titled(
          'New',
          added.map(({ phase, evidence }) => `${phase}: ${evidence}`),
        ),
    titled(
      'New findings',
      findings.map(({ id, level, phase }) => `${level} ${id}, during ${phase}`),
    ),
    titled('New requirements', requirements),
    titled(
      'Tasks that end otherwise',
      tasks.map(({ task, previous: was, current: is }) => `${task}: ${was} -> ${is}`),
    ),
    titled('Tests that passed and fail now', tests),
    titled(
      'Gone',
      gone.map(({ phase, evidence }) => `${phase}: ${evidence}`),
    ),
    titled('Beware', notes),
  ]
  return blocks
    .filter(block => block.length > 0)
    .map(block => `${block.join('\n')}\n`)
    .join('\n')
}

function titled(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const more = lines.length - listShown
  return [
    title,
    ...lines.slice(0, listShown).map(line => `  - ${fit(line, lineWidth - 4)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}
