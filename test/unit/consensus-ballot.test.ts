import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { differences, formatDifference } from '../../src/consensus/difference.ts'
import { RawData } from '../../src/wire/raw-data.ts'
import { fileChange, testJob, testRawData, withTask } from '../helpers/raw-data.ts'

const base = testRawData()

test('the builders make valid raw data', () => {
  assert.deepEqual(RawData.parse(base), base)
})

test('volatile halves do not reach the ballot', () => {
  assert.deepEqual(ballotOf(testRawData({ seed: 2 })), ballotOf(base))
})

test('a test that fails elsewhere changes the outcome, not the section', () => {
  const one = ballotOf(testRawData({ tests: { a: 'passed', b: 'passed' } }))
  const two = ballotOf(testRawData({ tests: { b: 'passed', a: 'failed' } }))
  assert.deepEqual(two.sections, one.sections)
  assert.equal(two.tests.a, 'failed')
})

test('another set of node ids changes the section', () => {
  const one = ballotOf(testRawData({ tests: { a: 'passed' } }))
  const two = ballotOf(testRawData({ tests: { b: 'passed' } }))
  assert.notEqual(two.sections.unittest, one.sections.unittest)
  assert.equal(two.sections.build, one.sections.build)
})

for (const [what, change] of [
  ['a pass that contradicts its outcomes', { status: 'failed', reason: 'tests-failed' }],
  ['a timeout', { status: 'failed', reason: 'timeout' }],
  ['a signal', { status: 'failed', reason: 'signal', signal: 'SIGSEGV' }],
  ['tests left out', { testsOmitted: 3 }],
  ['files left behind', { changes: [fileChange('{home}/x')] }],
  ['another runner', { runner: 'unittest' }],
] as const)
  test(`${what} changes the section`, () => {
    const other = withTask(base, 'unittest', { ...change } as Partial<
      NonNullable<RawData['tasks']['unittest']>['stable']
    >)
    assert.notEqual(ballotOf(other).sections.unittest, ballotOf(base).sections.unittest)
  })

test('with tests left out the status is voted on', () => {
  const one = withTask(base, 'unittest', { testsOmitted: 3 })
  const two = withTask(one, 'unittest', { status: 'failed', reason: 'tests-failed', exitCode: 1 })
  assert.notEqual(ballotOf(two).sections.unittest, ballotOf(one).sections.unittest)
})

test('raw data without unit tests has an empty vote on tests', () => {
  const { unittest: _, ...tasks } = base.tasks
  const ballot = ballotOf({ ...base, tasks })
  assert.deepEqual(ballot.tests, {})
  assert.deepEqual(
    Object.keys(ballot.sections).sort(),
    ['guest', 'intake', ...testJob().tasks.filter(task => task !== 'unittest')].sort(),
  )
})

test('a task that one volunteer lacks changes its ballot', () => {
  const { quality: _, ...tasks } = base.tasks
  assert.notDeepEqual(ballotOf({ ...base, tasks }).sections, ballotOf(base).sections)
})

test('differences name the field and both values', () => {
  const other = withTask(base, 'build', { status: 'failed', reason: 'exit-code', exitCode: 1 })
  assert.deepEqual(differences(base, other).map(formatDifference), [
    'build.exitCode: absent / 1',
    'build.reason: absent / "exit-code"',
    'build.status: "passed" / "failed"',
  ])
})

test('an extra file does not shift the ones after it', () => {
  const left = withTask(base, 'import', { changes: [fileChange('{home}/b'), fileChange('{home}/c')] })
  const right = withTask(base, 'import', {
    changes: [fileChange('{home}/a'), fileChange('{home}/b'), fileChange('{home}/c', { kind: 'changed' })],
  })
  assert.deepEqual(
    differences(left, right).map(({ path, left, right }) => [path, left.slice(0, 20), right.slice(0, 20)]),
    [
      ['import.changes[{home}/a]', 'absent', '{"kind":"added","pat'],
      ['import.changes[{home}/c].kind', '"added"', '"changed"'],
    ],
  )
})

test('differences in outcomes are named by node id, and their number is bounded', () => {
  const many = (outcome: 'passed' | 'failed') =>
    testRawData({ tests: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, outcome])) })
  const found = differences(many('passed'), many('failed'), 5)
  assert.equal(found.length, 5)
  assert.deepEqual(found[0], { path: 'outcomes.t0', left: '"passed"', right: '"failed"' })
})

test('equal raw data has no difference', () => {
  assert.deepEqual(differences(base, testRawData({ seed: 9 })), [])
})

test('long values are cut', () => {
  const left = withTask(base, 'install', { conflicts: ['x'.repeat(500)] })
  const [found] = differences(left, withTask(base, 'install', { conflicts: [] }))
  assert(found)
  assert(found.left.length < 130)
  assert.equal(found.right, 'absent')
})
