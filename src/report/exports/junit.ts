import { type TaskName, taskNames } from '../../wire/job.ts'
import type { RawData, TestOutcome } from '../../wire/raw-data.ts'
import type { Evaluation, Finding, ResultReason } from '../evaluation.ts'
import { coverageFacts, declaredFacts } from '../facts.ts'
import { reasonWords } from '../words.ts'
import { agreementWords, type ExportInput, testOutcomesOf } from './input.ts'
import { type Element, renderXml } from './xml.ts'

type End = 'failure' | 'error' | 'skipped'
type Result = Evaluation['tasks'][TaskName]
type ImportedModule = NonNullable<RawData['tasks']['import']>['stable']['modules'][number]

/** Ends that the test or module cases of a suite say themselves. */
const saidByCases: readonly ResultReason[] = ['tests-failed', 'module-failed', 'needs-network']
/** Failures that the code means; all others are errors. */
const failures: readonly ResultReason[] = ['exit-code', 'tests-failed', 'module-failed', 'no-wheel-made']

/**
 * JUnit XML (junit-10.xsd): one suite per task. Without times, as they differ between volunteers. What could not be
 * judged is `skipped`: not run, not supported, without a network, flaky.
 */
export function renderJunit(input: ExportInput): string {
  const { findings, subject } = input.evaluation
  const phases = [...new Set<Finding['phase']>([...taskNames, ...findings.map(finding => finding.phase)])]
  const suites = phases.map(phase => suite(phase, input))
  const total = (name: string) =>
    suites.reduce((sum, { attributes }) => sum + Number(attributes?.[name] ?? 0), 0)
  return renderXml({
    name: 'testsuites',
    attributes: {
      name: `pyti ${subject.filename}`,
      tests: total('tests'),
      failures: total('failures'),
      errors: total('errors'),
    },
    children: suites,
  })
}

function suite(phase: Finding['phase'], input: ExportInput): Element {
  const cases = [
    ...(phase === 'intake' ? [] : taskCases(phase, input)),
    ...findingCases(phase, input.evaluation.findings),
  ]
  const count = (end: End) => cases.filter(one => one.children?.some(child => child.name === end)).length
  const notes = notesOf(phase, input)
  return {
    name: 'testsuite',
    attributes: {
      name: phase,
      tests: cases.length,
      failures: count('failure'),
      errors: count('error'),
      skipped: count('skipped'),
    },
    children: [
      { name: 'properties', children: propertiesOf(input) },
      ...cases,
      ...(notes.length > 0 ? [{ name: 'system-out', text: notes.join('\n') }] : []),
    ],
  }
}

function propertiesOf(input: ExportInput): Element[] {
  const { evaluation, verificationResult, digests, job } = input
  const properties = {
    verdict: evaluation.verdict,
    verificationResult,
    agreement: agreementWords(input),
    filename: evaluation.subject.filename,
    sha256: evaluation.subject.sha256,
    job: job.id,
    report: digests.report,
  }
  return Object.entries(properties).map(([name, value]) => ({
    name: 'property',
    attributes: { name: `pyti.${name}`, value },
  }))
}

function taskCases(task: TaskName, input: ExportInput): Element[] {
  const result = input.evaluation.tasks[task]
  const parts = casesOf[task]?.(input, result) ?? []
  const said = result.status === 'passed' || result.status === 'flaky' || isSaid(result)
  return parts.length > 0 && said ? parts : [taskCase(task, result, input), ...parts]
}

/** Tasks whose parts have cases of their own. */
const casesOf: Partial<Record<TaskName, (input: ExportInput, result: Result) => Element[]>> = {
  import: moduleCases,
  scripts: scriptCases,
  unittest: testCases,
}

function isSaid({ reason }: Result): boolean {
  return reason !== undefined && saidByCases.includes(reason)
}

function taskCase(task: TaskName, result: Result, { evaluation }: ExportInput): Element {
  const { status, reason, signal, exitCode } = result
  if (status === 'passed') return testcase(`pyti.${task}`, task)
  const explanation = evaluation.notRun.find(entry => entry.task === task)?.explanation
  const end = signal ?? (reason === 'exit-code' && exitCode !== undefined ? `exit code ${exitCode}` : '')
  const words = explanation ?? (reason === undefined ? status : reasonWords[reason])
  return testcase(`pyti.${task}`, task, {
    end: status === 'failed' ? (reason && !failures.includes(reason) ? 'error' : 'failure') : 'skipped',
    type: reason ?? status,
    message: end === '' ? words : `${words} (${end})`,
  })
}

function moduleCases({ rawData }: ExportInput, { status }: Result): Element[] {
  const modules = rawData[0]?.tasks.import?.stable.modules ?? []
  return modules.map(module => testcase('pyti.import', module.name, moduleEnd(module, status === 'passed')))
}

function moduleEnd({ outcome, error, signal }: ImportedModule, tolerated: boolean): Ending | undefined {
  if (outcome === 'passed') return undefined
  const type = error ?? signal ?? outcome
  if (tolerated)
    return {
      end: 'skipped',
      type,
      message: 'It could not be imported for want of a package outside the distribution.',
    }
  return { end: outcome === 'error' ? 'failure' : 'error', type, message: `import ended with ${type}` }
}

function scriptCases({ rawData }: ExportInput): Element[] {
  const scripts = rawData[0]?.tasks.scripts?.stable.scripts ?? []
  return scripts.map(({ name, outcome, exitCode, signal }) => {
    if (outcome === 'passed') return testcase('pyti.scripts', name)
    const end = signal ?? (exitCode === undefined ? outcome : `exit code ${exitCode}`)
    // Not every program knows --help: an exit code is no failure of the distribution.
    return testcase('pyti.scripts', name, {
      end: outcome === 'failed' ? 'skipped' : 'error',
      type: outcome,
      message: `run with --help, it ended with ${end}`,
    })
  })
}

const testEnds: Record<TestOutcome, Omit<Ending, 'type'> | undefined> = {
  passed: undefined,
  xpassed: undefined,
  failed: { end: 'failure', message: 'The test failed.' },
  error: { end: 'error', message: 'The set-up or tear-down failed, or the interpreter died.' },
  skipped: { end: 'skipped', message: 'The test was skipped.' },
  xfailed: { end: 'skipped', message: 'The test failed as it is expected to.' },
  'needs-network': { end: 'skipped', message: reasonWords['needs-network'] },
  flaky: { end: 'skipped', message: 'The same file gave different outcomes.' },
}

function testCases(input: ExportInput): Element[] {
  return [...testOutcomesOf(input)].map(([id, outcome]) => {
    const end = testEnds[outcome]
    return testcase(id.split('::', 1)[0] ?? id, id, end && { ...end, type: outcome })
  })
}

/** Readers of JUnit XML see cases only: a chain of harmful behaviour must not look green to them. */
function findingCases(phase: Finding['phase'], findings: readonly Finding[]): Element[] {
  return findings
    .filter(finding => finding.phase === phase && finding.level !== 'observed')
    .map(({ id, level, evidence }) =>
      testcase('pyti.findings', id, { end: 'failure', type: level, message: evidence }),
    )
}

function notesOf(phase: Finding['phase'], { evaluation, rawData }: ExportInput): string[] {
  const { tasks, findings } = evaluation
  const omitted = rawData[0]?.tasks.import?.stable.modulesOmitted ?? 0
  const seen = findings.filter(finding => finding.phase === phase && finding.level === 'observed')
  return [
    ...(phase === 'import' && omitted > 0 ? [`${omitted} modules were not tried`] : []),
    ...(phase === 'unittest' && tasks.unittest.omitted > 0
      ? [`${tasks.unittest.omitted} tests are not listed`]
      : []),
    ...(phase === 'static' ? tasks.static.checksFailed : []).map(({ check, why }) => `${check}: ${why}`),
    ...(phase === 'clocks' ? tasks.clocks.shifts : []).map(
      ({ days, modules, tests, events }) =>
        `${days} days ahead: ${modules} modules and ${tests} tests ended otherwise, ${events} events not seen today`,
    ),
    ...(phase === 'quality' ? tasks.quality.tools : []).map(
      ({ tool, version, status, messages }) => `${tool} ${version}: ${status}, ${messages} messages`,
    ),
    ...(phase === 'unittest' ? coverageFacts(tasks.unittest) : []),
    ...(phase === 'static' ? declaredFacts(tasks.static) : []),
    ...seen.map(({ id, evidence }) => `observed ${id}: ${evidence}`),
    ...(phase === 'static' ? evaluation.notObserved : []).map(
      ({ observer, explanation }) => `not seen (${observer}): ${explanation}`,
    ),
  ].map(line => line.replaceAll('\n', '\\u{a}'))
}

interface Ending {
  readonly end: End
  readonly type: string
  readonly message: string
}

function testcase(classname: string, name: string, ending?: Ending): Element {
  if (ending === undefined) return { name: 'testcase', attributes: { classname, name } }
  const { end, type, message } = ending
  return {
    name: 'testcase',
    attributes: { classname, name },
    children: [{ name: end, attributes: { type, message } }],
  }
}
