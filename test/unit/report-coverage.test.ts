import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '../../src/report/evaluate.ts'
import { pylintScoreX100 } from '../../src/report/pylint-score.ts'
import { renderReport } from '../../src/report/text.ts'
import type { Declared } from '../../src/wire/declared.ts'
import { RawData } from '../../src/wire/raw-data.ts'
import { testRawData, withTask } from '../helpers/raw-data.ts'

const base = testRawData()

/** Raw data of one volunteer whose tests ran so many of so many lines. */
function covered(lines: number | undefined, of = 1_000): RawData {
  const rawData = withTask(base, 'unittest', { executableLines: of })
  const { unittest } = rawData.tasks
  assert(unittest)
  const volatile = { ...unittest.volatile, ...(lines === undefined ? {} : { coveredLines: lines }) }
  return RawData.parse({ ...rawData, tasks: { ...rawData.tasks, unittest: { ...unittest, volatile } } })
}

function coverageOf(...measured: (number | undefined)[]) {
  const rawData = measured.map(lines => covered(lines))
  return evaluate({ rawData, flaky: [] }).tasks.unittest.coverage
}

const text = (rawData: RawData) =>
  renderReport(evaluate({ rawData: [rawData], flaky: [] }), {
    volunteers: 1,
    agreeing: 1,
    backend: 'uml',
    seconds: 1,
  })

test('coverage is the lower median of those who agree, in any order', () => {
  const of = (coveredLines: number) => ({ executableLines: 1_000, coveredLines })
  for (const [measured, median] of [
    [[870], 870],
    [[870, 868, 869], 869],
    [[868, 870], 868],
    [[870, 0, 869], 869],
    [[870, 1_000_000_000, 869], 870],
    [[undefined, 870, undefined], 870],
    [[5_000], 1_000],
  ] as const)
    assert.deepEqual(coverageOf(...measured), of(median), `${measured}`)
  assert.equal(coverageOf(undefined, undefined), undefined)
  assert.equal(evaluate({ rawData: [base], flaky: [] }).tasks.unittest.coverage, undefined)
})

test('what tests can cover is voted on, what they covered is not', () => {
  assert.throws(() => evaluate({ rawData: [covered(7, 10), covered(7, 11)], flaky: [] }), {
    code: 'disagreement',
  })
  assert.doesNotThrow(() => evaluate({ rawData: [covered(7), covered(8)], flaky: [] }))
})

test('coverage in words: whole per cent, 100 only when it is all', () => {
  assert.match(text(covered(1_000)), /^ {23}100 % of its own code covered \(1,000 of 1,000 lines\)$/m)
  assert.match(text(covered(999)), /^ {23}99 % of its own code covered/m)
  assert.doesNotMatch(text(covered(0, 0)), /covered/)
  assert.doesNotMatch(text(covered(undefined)), /covered/)
  const evaluation = evaluate({ rawData: [covered(870)], flaky: [] })
  assert.equal(evaluation.tasks.unittest.status, 'passed')
})

const pylint = {
  tool: 'pylint' as const,
  version: '3.3.4',
  status: 'completed' as const,
  counts: {},
  messages: [],
  messagesOmitted: 0,
  statements: 61,
}

test("pylint's score, by its documented formula", () => {
  const score = (counts: Record<string, number>, change: Partial<typeof pylint> = {}) =>
    pylintScoreX100({ ...pylint, ...change, counts })
  assert.equal(score({}), 1_000)
  // What pylint 3.3.4 itself rates 7.54.
  assert.equal(score({ C0116: 11, R0903: 3, W0611: 1 }), 754)
  assert.equal(score({ E0001: 1 }), 918)
  assert.equal(score({ E0001: 61 }), 0)
  assert.equal(score({ F0002: 1 }), 0)
  assert.equal(score({ I0011: 9 }), 1_000)
  assert.equal(score({ C0116: Number.MAX_SAFE_INTEGER }), 0)
  assert.equal(score({}, { statements: 0 }), undefined)
  assert.equal(pylintScoreX100({ ...pylint, status: 'timeout' }), undefined)
  assert.equal(pylintScoreX100({ ...pylint, tool: 'pyflakes' }), undefined)
  const { statements: _, ...old } = pylint
  assert.equal(pylintScoreX100(old), undefined)
})

const declared: Declared = {
  license: {
    from: 'classifier',
    classifiers: ['License :: OSI Approved :: MIT License'],
    files: ['LICENSE', 'NOTICE'],
    missing: [],
  },
  typed: 'marker',
  python: { requires: '>=3.9', classifiers: ['3.9', '3.10'] },
}

test('score, licence, types and versions of Python in words', () => {
  const graded = withTask(base, 'quality', { tools: [pylint] })
  assert.match(text(graded), /pylint 10\.00 of 10$/m)
  const told = (change: Partial<Declared>) =>
    text(withTask(base, 'static', { metadataScore: 8, declared: { ...declared, ...change } })).replace(
      /\s+/g,
      ' ',
    )
  assert.match(
    told({}),
    /metadata 8 of 10; licence MIT License, 2 files; typed; Python >=3\.9 \(names 3\.9 3\.10\)/,
  )
  const none: Declared['license'] = { from: 'none', classifiers: [], files: [], missing: ['LICENSE'] }
  assert.match(
    told({ license: none, typed: 'none' }),
    /no licence named, no file; 1 licence file missing; not typed/,
  )
  assert.match(told({ python: { classifiers: [] } }), /Python of any version/)
  const hostile: Declared['license'] = { ...none, from: 'expression', expression: 'MIT\u001b[31m' }
  assert.match(told({ license: hostile }), /licence MIT\\u\{1b\}\[31m/)
  assert.doesNotMatch(text(base), /licence/)
})

test('no console scripts: told where what did not run is told', () => {
  const shown = text(withTask(base, 'scripts', { status: 'not-run', reason: 'no-scripts' }))
  assert.match(shown, /^Not run {4}scripts: The distribution has no console scripts\.$/m)
  assert.doesNotMatch(shown, /^ {2}scripts /m)
})
