import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { openRules } from '../../src/consensus/classes.ts'
import { decide } from '../../src/consensus/decide.ts'
import { evaluate, verificationResultOf } from '../../src/report/evaluate.ts'
import { Evaluation } from '../../src/report/evaluation.ts'
import { Summary, summarise, summariseUnresolved } from '../../src/report/summary.ts'
import { archiveFaultWords, reasonWords } from '../../src/report/words.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import { taskNames } from '../../src/wire/job.ts'
import { archiveFaults, type RawData, reasons, type TestOutcome } from '../../src/wire/raw-data.ts'
import {
  clocksJob,
  event,
  fileChange,
  testJob,
  testRawData,
  withEvents,
  withTask,
} from '../helpers/raw-data.ts'

const three = [1, 2, 3].map(seed => testRawData({ seed }))
const base = testRawData()

function ofTests(...each: Record<string, TestOutcome>[]): RawData[] {
  return each.map((tests, seed) => testRawData({ seed, tests }))
}

test('a clean run', () => {
  const evaluation = evaluate({ rawData: three, flaky: [] })
  assert.deepEqual(Evaluation.parse(evaluation), evaluation)
  assert.equal(evaluation.verdict, 'clean')
  assert.equal(evaluation.tasks.build.wheel, 'sample-1.0-py3-none-any.whl')
  assert.deepEqual(evaluation.findings, [])
  assert.deepEqual(evaluation.notRun, [
    { task: 'clocks', reason: 'not-requested', explanation: 'The job did not ask for it.' },
  ])
  assert.deepEqual(evaluation.notObserved, [])
  assert.equal(evaluation.tasks.unittest.passed, 1)
  assert.equal(evaluation.tasks.unittest.skipped, 1)
  assert.equal(evaluation.tasks.quality.messages, 2)
  assert.equal(evaluation.tasks.quality.messagesPerKlocX100, 1667)
  assert.equal(verificationResultOf(evaluation), 'PASSED')
})

test('it is the same bytes whichever volunteers it is computed from, in whatever order', () => {
  const rawData = ofTests(
    { a: 'passed', b: 'failed' },
    { a: 'passed', b: 'passed' },
    { a: 'passed', b: 'failed' },
  )
  const expected = canonicalJson(evaluate({ rawData, flaky: ['b'] }))
  fc.assert(
    fc.property(fc.shuffledSubarray(rawData, { minLength: 3 }), shuffled => {
      assert.equal(canonicalJson(evaluate({ rawData: shuffled, flaky: ['b'] })), expected)
    }),
    { seed: 1 },
  )
})

test('raw data that disagrees is not evaluated', () => {
  const other = withTask(base, 'build', { status: 'failed', reason: 'exit-code' })
  assert.throws(() => evaluate({ rawData: [base, other], flaky: [] }), { code: 'disagreement' })
})

test('raw data about another file is not evaluated', () => {
  const other = { ...base, subject: { ...base.subject, size: 18 } }
  assert.throws(() => evaluate({ rawData: [base, other], flaky: [] }), { code: 'disagreement' })
})

test('no raw data is not evaluated', () => {
  assert.throws(() => evaluate({ rawData: [], flaky: [] }), { code: 'bad-request' })
})

test('outcomes consensus cannot have accepted are refused', () => {
  const rawData = ofTests({ a: 'passed' }, { a: 'failed' }, { a: 'failed' }, { a: 'passed' })
  assert.throws(() => evaluate({ rawData, flaky: [] }), { code: 'disagreement' })
  assert.throws(() => evaluate({ rawData: three, flaky: ['nobody::knows'] }), { code: 'disagreement' })
})

test('a flaky test alone makes the task flaky, not failed', () => {
  const rawData = ofTests(
    { a: 'passed', b: 'failed' },
    { a: 'passed', b: 'passed' },
    { a: 'passed', b: 'flaky' },
  )
  const evaluation = evaluate({ rawData, flaky: ['b'] })
  assert.equal(evaluation.tasks.unittest.status, 'flaky')
  assert.deepEqual(evaluation.tasks.unittest.flaky, ['b'])
  assert.equal(evaluation.tasks.unittest.exitCode, undefined)
  assert.equal(verificationResultOf(evaluation), 'INCONCLUSIVE')
})

test('a flaky and a failing test make the task failed', () => {
  const rawData = ofTests(
    { a: 'failed', b: 'failed' },
    { a: 'failed', b: 'passed' },
    { a: 'failed', b: 'passed' },
  )
  const { unittest } = evaluate({ rawData, flaky: ['b'] }).tasks
  assert.deepEqual(
    [unittest.status, unittest.reason, unittest.failedTests],
    ['failed', 'tests-failed', ['a']],
  )
})

test('a single dissent on a test does not count', () => {
  const one = { a: 'passed' } as const
  const evaluation = evaluate({ rawData: ofTests(one, one, one, one, one, { a: 'failed' }), flaky: [] })
  assert.equal(evaluation.tasks.unittest.status, 'passed')
})

test('tests that all need the network are unsupported, not failed', () => {
  const evaluation = evaluate({ rawData: ofTests({ a: 'needs-network', b: 'skipped' }), flaky: [] })
  assert.equal(evaluation.tasks.unittest.status, 'unsupported')
  assert.deepEqual(evaluation.tasks.unittest.needsNetwork, ['a'])
  assert.deepEqual(
    evaluation.notRun.map(entry => entry.reason),
    ['needs-network', 'not-requested'],
  )
})

test('a status that does not follow from the outcomes is kept', () => {
  const timeout = withTask(base, 'unittest', { status: 'failed', reason: 'timeout' })
  const evaluation = evaluate({ rawData: [timeout], flaky: [] })
  assert.deepEqual(
    [evaluation.tasks.unittest.status, evaluation.tasks.unittest.reason],
    ['failed', 'timeout'],
  )
  assert.equal(evaluation.verdict, 'observed')
  assert.equal(verificationResultOf(evaluation), 'FAILED')
})

test('ends that no flaky test explains are not evaluated together', () => {
  const timeout = withTask(base, 'unittest', { status: 'failed', reason: 'timeout' })
  assert.throws(() => evaluate({ rawData: [base, timeout], flaky: [] }), { code: 'disagreement' })
  const cut = withTask(base, 'unittest', { testsOmitted: 2 })
  const failed = withTask(cut, 'unittest', { status: 'failed', reason: 'tests-failed' })
  assert.throws(() => evaluate({ rawData: [cut, failed], flaky: [] }), { code: 'disagreement' })
})

test('a failure among tests that are not listed is a failure', () => {
  const rawData = withTask(base, 'unittest', { status: 'failed', reason: 'tests-failed', testsOmitted: 2 })
  const { unittest } = evaluate({ rawData: [rawData], flaky: [] }).tasks
  assert.deepEqual([unittest.status, unittest.omitted], ['failed', 2])
})

test('a guest that contradicts its own outcomes does not pass', () => {
  const noReason = withTask(base, 'unittest', { status: 'failed', reason: 'tests-failed' })
  assert.equal(evaluate({ rawData: [noReason], flaky: [] }).tasks.unittest.status, 'failed')
  for (const testsOmitted of [0, 2]) {
    const failing = testRawData({ tests: { a: 'failed', b: 'passed' } })
    const hidden = withTask(failing, 'unittest', { status: 'passed', reason: undefined, testsOmitted })
    assert.equal(evaluate({ rawData: [hidden], flaky: [] }).tasks.unittest.status, 'failed')
  }
})

test('an exit code may differ only where the outcomes of tests decide it', () => {
  const other = withTask(base, 'unittest', { exitCode: 5 })
  assert.equal(
    canonicalJson(evaluate({ rawData: [other, base], flaky: [] })),
    canonicalJson(evaluate({ rawData: [base, other], flaky: [] })),
  )
  const [three, four] = [3, 4].map(exitCode =>
    withTask(base, 'unittest', { status: 'failed', reason: 'exit-code', exitCode }),
  )
  assert(three && four)
  assert.throws(() => evaluate({ rawData: [three, four], flaky: [] }), { code: 'disagreement' })
})

test('long lists of tests are bounded, their counts are not', () => {
  const tests = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [`t${index}`, 'failed'] as const),
  )
  const evaluation = evaluate({ rawData: ofTests(tests), flaky: [] })
  assert.equal(evaluation.tasks.unittest.failed, 500)
  assert.equal(evaluation.tasks.unittest.failedTests.length, 100)
  assert.deepEqual(Evaluation.parse(evaluation), evaluation)
})

test('a bad archive', () => {
  const stable = { ...base.intake.stable, archive: 'path-escape' as const, archiveDetail: '../../etc/passwd' }
  const rawData = { ...base, intake: { ...base.intake, stable }, tasks: {} }
  const evaluation = evaluate({ rawData: [rawData], flaky: [] })
  assert.deepEqual(Evaluation.parse(evaluation), evaluation)
  assert.equal(evaluation.verdict, 'bad-input')
  assert.equal(evaluation.notRun.length, taskNames.length)
  assert.deepEqual(evaluation.notObserved, [])
  assert.match(evaluation.notRun[0]?.explanation ?? '', /outside the folder.*\(\.\.\/\.\.\/etc\/passwd\)/)
  assert.equal(verificationResultOf(evaluation), 'FAILED')
})

test('a task that was not requested is not run, and nothing passes without an installation', () => {
  const { install: _, unittest: __, ...tasks } = base.tasks
  const evaluation = evaluate({ rawData: [{ ...base, tasks }], flaky: [] })
  assert.deepEqual(
    evaluation.notRun.map(entry => [entry.task, entry.reason]),
    [
      ['install', 'not-requested'],
      ['unittest', 'not-requested'],
      ['clocks', 'not-requested'],
    ],
  )
  assert.equal(verificationResultOf(evaluation), 'INCONCLUSIVE')
})

test('ways of watching that did not work are told, in their order', () => {
  const stable = { ...base.guest.stable, observers: ['audit' as const] }
  const evaluation = evaluate({ rawData: [{ ...base, guest: { ...base.guest, stable } }], flaky: [] })
  assert.deepEqual(Evaluation.parse(evaluation), evaluation)
  assert.deepEqual(
    evaluation.notObserved.map(({ observer }) => observer),
    ['changes', 'syscalls', 'baits', 'sinkhole'],
  )
})

test('what differs between volunteers in any of the new sections is a disagreement', () => {
  const job = clocksJob()
  const one = testRawData({ job })
  for (const task of job.tasks) {
    const other = withEvents(testRawData({ job, seed: 2 }), task, event('exec', 'curl x'))
    assert.throws(() => evaluate({ rawData: [one, other], flaky: [] }), { code: 'disagreement' }, task)
    assert.notDeepEqual(ballotOf(one).sections[task], ballotOf(other).sections[task])
  }
})

test('an interpreter that cannot start is a failure; scripts and leftovers are not', () => {
  const ending = (task: 'start' | 'scripts' | 'uninstall') => {
    const rawData = [withTask(base, task, { status: 'failed', reason: 'exit-code', exitCode: 1 })]
    return verificationResultOf(evaluate({ rawData, flaky: [] }))
  }
  assert.deepEqual([ending('start'), ending('scripts'), ending('uninstall')], ['FAILED', 'PASSED', 'PASSED'])
})

test('absurd counts of a guest do not break the evaluation', () => {
  const tool = base.tasks.quality?.stable.tools[0]
  assert(tool)
  const huge = Number.MAX_SAFE_INTEGER
  const rawData = withTask(base, 'quality', {
    tools: [{ ...tool, counts: { A: huge, B: huge } }],
    linesOfCode: 1,
  })
  const evaluation = evaluate({ rawData: [rawData], flaky: [] })
  assert.deepEqual(Evaluation.parse(JSON.parse(canonicalJson(evaluation))), evaluation)
  const empty = withTask(base, 'quality', { linesOfCode: 0 })
  assert.equal(evaluate({ rawData: [empty], flaky: [] }).tasks.quality.messagesPerKlocX100, undefined)
})

test('evidence cut in the middle of an astral character still has canonical JSON', () => {
  for (let pad = 280; pad < 300; pad += 1) {
    const path = `{home}/${'x'.repeat(pad)}${'\u{1f600}'.repeat(20)}`
    const rawData = withTask(base, 'import', { changes: [fileChange(path)] })
    assert.doesNotThrow(() => canonicalJson(evaluate({ rawData: [rawData], flaky: [] })))
  }
})

test('every word of the closed lists has one plain sentence', () => {
  for (const words of [
    ...reasons.map(word => reasonWords[word]),
    ...archiveFaults.map(word => archiveFaultWords[word]),
  ])
    assert.match(words, /^[A-Z][^.]+\.$/)
})

test('the summary line', () => {
  const evaluation = evaluate({ rawData: three, flaky: [] })
  const extras = {
    volunteers: 4,
    agreeing: 3,
    totalSeconds: 12.5,
    report: 'out/report.jsonl',
    profile: testJob().profile,
  }
  const summary = summarise(evaluation, three, extras)
  assert.deepEqual(Summary.parse(summary), summary)
  assert.deepEqual(summary.subject, {
    project: 'sample',
    version: '1.0',
    filename: 'sample-1.0.tar.gz',
    sha256: base.subject.sha256,
  })
  assert.deepEqual(summary.agreement, { volunteers: 4, agreeing: 3 })
  assert.equal(summary.backend, 'uml')
  assert.deepEqual(summary.profile, { python: '3.13', backend: 'any' })
  assert.deepEqual(summary.seconds, {
    resolve: 0.042,
    download: 0.092,
    boot: 0.702,
    tasks: 10.02,
    total: 12.5,
  })
})

test('the summary line of a job without agreement', () => {
  const extras = {
    reason: 'volunteers disagree on build',
    volunteers: 7,
    totalSeconds: 90,
    profile: { python: '3.11', backend: 'any' as const },
  }
  const summary = summariseUnresolved(base.subject, extras)
  assert.deepEqual(Summary.parse(summary), summary)
  assert.equal(summary.verdict, 'unresolved')
  assert.equal(summary.report, null)
  assert.deepEqual(summary.profile, { python: '3.11', backend: 'any' })
})

test('what consensus accepts can be evaluated', () => {
  const outcome = fc.constantFrom<TestOutcome>(
    'passed',
    'passed',
    'passed',
    'failed',
    'flaky',
    'needs-network',
  )
  const votes = fc.array(fc.record({ a: outcome, b: outcome }), { minLength: 3, maxLength: 7 })
  let accepted = 0
  fc.assert(
    fc.property(votes, tests => {
      const rawData = ofTests(...tests)
      const casts = rawData.map((one, index) => ({
        volunteer: `v${index}`,
        ballot: ballotOf(one),
        role: 'seat' as const,
        cluster: `operator ${index}`,
        weight: 4_000,
      }))
      const decision = decide(casts, openRules)
      if (decision.kind !== 'accept') return
      accepted += 1
      const agreeing = rawData.filter((_, index) => decision.agreeing.includes(`v${index}`))
      const evaluation = evaluate({ rawData: agreeing, flaky: decision.flaky })
      assert.deepEqual(Evaluation.parse(evaluation), evaluation)
      assert.deepEqual(evaluation.tasks.unittest.flaky, decision.flaky)
    }),
    { seed: 20_261_120, numRuns: 300 },
  )
  assert(accepted > 100, `${accepted} accepted`)
})
