import { PytiError } from '../errors.ts'
import { taskNames } from '../wire/job.ts'
import { observers, type RawData } from '../wire/raw-data.ts'
import { demandAgreement, sameEnd } from './agreed.ts'
import { coverageOf } from './coverage.ts'
import { type Evaluation, listLength, type Since, type TaskResults } from './evaluation.ts'
import { findingsOf, highestLevel } from './findings.ts'
import { newBehaviour } from './new-behaviour.ts'
import { mergeOutcomes } from './outcomes.ts'
import { taskResults } from './tasks.ts'
import { archiveFaultWords, observerWords, reasonWords } from './words.ts'

/**
 * What agreeing raw data means. A pure function of the stable halves, of which tests are flaky, and of one volatile figure
 * (`coverageOf`), so that anyone who holds the raw data computes the same bytes.
 * @throws PytiError `disagreement` when the raw data does not agree, `bad-request` when there is none
 */
export function evaluate(input: {
  rawData: readonly RawData[]
  flaky: readonly string[]
  /** Sections in which honest runs of this job differ; those of them that are tasks are `flaky`. */
  unrepeated?: readonly string[]
  /** Of the release before. */
  previous?: RawData | undefined
}): Evaluation {
  const [first] = input.rawData
  if (first === undefined) throw new PytiError('bad-request', 'there is no raw data to evaluate')
  demandAgreement(input.rawData)
  const outcomes = mergeOutcomes(
    input.rawData.map(one => one.tasks.unittest?.stable.tests ?? {}),
    input.flaky,
  )
  const tasks = withoutRepeating(
    taskResults(first, outcomes, sameEnd(input.rawData), coverageOf(input.rawData)),
    input.unrepeated ?? [],
  )
  const findings = findingsOf(first)
  const bad = first.intake.stable.archive !== 'ok'
  return {
    schema: 'pyti.evaluation/3',
    subject: first.subject,
    verdict: bad ? 'bad-input' : (highestLevel(findings) ?? 'clean'),
    ...(input.previous && !bad && { since: sinceOf(input.previous, first) }),
    tasks,
    findings,
    notRun: notRun(tasks, first.intake.stable),
    notObserved: bad ? [] : notObserved(first.guest.stable.observers),
  }
}

function sinceOf(previous: RawData, current: RawData): Since {
  const { filename, version, sha256 } = previous.subject
  const { added, requirements } = newBehaviour(previous, current)
  return {
    filename,
    version,
    sha256,
    added: added.slice(0, listLength).map(({ phase, evidence }) => ({ phase, evidence: cut(evidence) })),
    addedCount: added.length,
    requirements: requirements.slice(0, listLength),
  }
}

function cut(text: string): string {
  return text.length > 4_000 ? `${text.slice(0, 4_000).toWellFormed()}...` : text
}

/** What one volunteer saw of such a task says nothing about the next run. */
function withoutRepeating(tasks: TaskResults, sections: readonly string[]): TaskResults {
  const changed = { ...tasks }
  for (const task of taskNames)
    if (sections.includes(task))
      Object.assign(changed, { [task]: { ...tasks[task], status: 'flaky', reason: 'not-repeating' } })
  return changed
}

/** A file that starts no VM is not watched either; saying so five times would hide the reason. */
function notObserved(worked: RawData['guest']['stable']['observers']): Evaluation['notObserved'] {
  return observers
    .filter(observer => !worked.includes(observer))
    .map(observer => ({ observer, explanation: observerWords[observer] }))
}

function notRun(tasks: TaskResults, intake: RawData['intake']['stable']): Evaluation['notRun'] {
  return taskNames.flatMap(task => {
    const { status, reason } = tasks[task]
    if (reason === undefined || (status !== 'not-run' && status !== 'unsupported')) return []
    return [{ task, reason, explanation: explain(reason, intake) }]
  })
}

function explain(reason: keyof typeof reasonWords, intake: RawData['intake']['stable']): string {
  if (reason !== 'bad-input' || intake.archive === 'ok') return reasonWords[reason]
  const detail = intake.archiveDetail === undefined ? '' : ` (${intake.archiveDetail})`
  return `${archiveFaultWords[intake.archive]}${detail}`
}

/**
 * The one word of a report for machines that allow or deny. PASSED needs an installation, every task that ran to pass
 * and nothing suspicious; style (`quality`) plays no part. INCONCLUSIVE: something could not be judged.
 */
export function verificationResultOf(evaluation: Evaluation): 'PASSED' | 'FAILED' | 'INCONCLUSIVE' {
  const { build, install, start, import: imported, unittest } = evaluation.tasks
  const states = [build, install, start, imported, unittest].map(task => task.status)
  if (['suspicious', 'confirmed', 'bad-input'].includes(evaluation.verdict)) return 'FAILED'
  if (states.includes('failed')) return 'FAILED'
  if (evaluation.verdict === 'unresolved' || install.status !== 'passed') return 'INCONCLUSIVE'
  return states.includes('unsupported') || states.includes('flaky') ? 'INCONCLUSIVE' : 'PASSED'
}
