import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Ballot } from '../../src/consensus/ballot.ts'
import { type Cast, type Decision, decide } from '../../src/consensus/decide.ts'
import { PytiError } from '../../src/errors.ts'
import { type TestOutcome, testOutcomes } from '../../src/wire/raw-data.ts'

const seed = 20_261_120

function ballot(section: string, tests: Record<string, TestOutcome> = {}): Ballot {
  return { sections: { build: section, guest: 'same' }, tests }
}

function casts(...ballots: Ballot[]): Cast[] {
  return ballots.map((ballot, index) => ({ volunteer: `v${index}`, ballot }))
}

function ofTest(...outcomes: TestOutcome[]): Cast[] {
  return casts(...outcomes.map(outcome => ballot('a', { t: outcome, steady: 'passed' })))
}

function sections(letters: string): Cast[] {
  return casts(...[...letters].map(letter => ballot(letter)))
}

function assertAccepted(decision: Decision): asserts decision is Extract<Decision, { kind: 'accept' }> {
  assert.equal(decision.kind, 'accept', JSON.stringify(decision))
}

for (const [letters, seats] of [
  ['', 3],
  ['a', 2],
  ['aa', 1],
  ['ab', 4],
  ['aab', 3],
  ['aaab', 2],
  ['aaaab', 1],
] as const)
  test(`sections "${letters}" wait for ${seats} more`, () => {
    assert.deepEqual(decide(sections(letters)), { kind: 'wait', seats })
  })

test('three alike are accepted', () => {
  assert.deepEqual(decide(sections('aaa')), {
    kind: 'accept',
    agreeing: ['v0', 'v1', 'v2'],
    dissenting: [],
    flaky: [],
    testDissents: [],
  })
})

test('one dissent is outvoted by five, and named', () => {
  const decision = decide(sections('aabaaa'))
  assertAccepted(decision)
  assert.deepEqual(decision.dissenting, ['v2'])
  assert.equal(decision.agreeing.length, 5)
})

for (const letters of ['abc', 'aabb', 'aaabb', 'aaaabb', 'abab', 'aaaaabb'])
  test(`sections "${letters}" cannot be settled in seven seats and say so at once`, () => {
    const decision = decide(sections(letters))
    assert.equal(decision.kind, 'unresolved')
    assert.deepEqual(decision.kind === 'unresolved' && decision.sections, ['build'])
    assert.match(decision.kind === 'unresolved' ? decision.reason : '', /disagree on build/)
  })

test('a section that one volunteer lacks is a dissent', () => {
  const [first, ...rest] = sections('aaa')
  assert(first)
  const lacking = { ...first, ballot: { sections: { build: 'a' }, tests: {} } }
  assert.deepEqual(decide([lacking, ...rest]), { kind: 'wait', seats: 3 })
})

test('a voice counts once', () => {
  const [first] = sections('a')
  assert(first)
  assert.throws(() => decide([first, first, first]), { code: 'duplicate-volunteer' })
})

test('a test that two volunteers saw flicker is flaky', () => {
  const decision = decide(ofTest('flaky', 'flaky', 'passed'))
  assertAccepted(decision)
  assert.deepEqual(decision.flaky, ['t'])
})

test('a reproduced dissent on a test is flaky', () => {
  const decision = decide(ofTest('failed', 'passed', 'failed', 'passed'))
  assertAccepted(decision)
  assert.deepEqual(decision.flaky, ['t'])
  assert.equal(decision.agreeing.length, 4)
})

test('a test that all call flaky is listed as flaky', () => {
  const decision = decide(ofTest('flaky', 'flaky', 'flaky'))
  assertAccepted(decision)
  assert.deepEqual(decision.flaky, ['t'])
})

test('a single dissent on a test asks for one more seat until all are used, then the others hold', () => {
  for (const count of [3, 4, 5, 6]) {
    const outcomes: TestOutcome[] = ['failed', ...Array.from({ length: count - 1 }, () => 'passed' as const)]
    assert.deepEqual(decide(ofTest(...outcomes)), { kind: 'wait', seats: 1 })
  }
  const decision = decide(ofTest('passed', 'passed', 'failed', 'passed', 'passed', 'passed', 'passed'))
  assertAccepted(decision)
  assert.deepEqual(decision.flaky, [])
  assert.deepEqual(decision.testDissents, [
    { test: 't', volunteer: 'v2', outcome: 'failed', accepted: 'passed' },
  ])
})

test('a single dissent with too few others is unresolved', () => {
  const decision = decide(ofTest('passed', 'passed', 'failed', 'passed'), { quorum: 3, maxSeats: 4 })
  assert.equal(decision.kind, 'unresolved')
  assert.deepEqual(decision.kind === 'unresolved' && decision.tests, ['t'])
})

test('a dissent in the sections does not speak on tests', () => {
  const wrong = { volunteer: 'v9', ballot: ballot('b', { t: 'failed' }) }
  const decision = decide([...ofTest('passed', 'passed', 'passed', 'passed', 'passed'), wrong])
  assertAccepted(decision)
  assert.deepEqual(decision.testDissents, [])
})

test('ballots whose sections agree but whose node ids differ are refused', () => {
  const broken = casts(
    ballot('a', { t: 'passed' }),
    ballot('a', { t: 'passed' }),
    ballot('a', { u: 'passed' }),
  )
  assert.throws(
    () => decide(broken),
    (error: unknown) => error instanceof PytiError && error.code === 'disagreement',
  )
})

const anyBallot = fc
  .tuple(
    fc.constantFrom('a', 'a', 'a', 'b', 'c'),
    fc.constantFrom(...testOutcomes),
    fc.constantFrom<TestOutcome>('passed', 'failed'),
  )
  .map(([section, t, u]) => ballot(section, { t, u }))

test('the order of arrival never matters', () => {
  const scene = fc
    .array(anyBallot, { maxLength: 7 })
    .map(ballots => casts(...ballots))
    .chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))
  fc.assert(
    fc.property(scene, ([all, shuffled]) => {
      assert.deepEqual(decide(shuffled), decide(all))
    }),
    { seed, numRuns: 2_000 },
  )
})

/** Plays a job: seats are filled in the given order until a decision is final. */
function play(order: Cast[]): { decision: Decision; seated: Cast[] } {
  let seats = 0
  for (;;) {
    const seated = order.slice(0, seats)
    const decision = decide(seated)
    if (decision.kind !== 'wait') return { decision, seated }
    seats += decision.seats
    assert(seats <= 7, 'never more than seven seats')
  }
}

for (const liars of [1, 2])
  test(`${liars} liar(s) in seven never get their own sections accepted`, () => {
    const lie = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...testOutcomes))
    const scene = fc.array(lie, { minLength: liars, maxLength: liars }).chain(lies => {
      const honest = Array.from({ length: 7 - liars }, () => ballot('a', { t: 'passed' }))
      const all = casts(...lies.map(([section, outcome]) => ballot(section, { t: outcome })), ...honest)
      return fc.shuffledSubarray(all, { minLength: 7 })
    })
    fc.assert(
      fc.property(scene, order => {
        const { decision, seated } = play(order)
        if (decision.kind !== 'accept') return
        const agreeing = seated.filter(cast => decision.agreeing.includes(cast.volunteer))
        assert(agreeing.every(cast => cast.ballot.sections.build === 'a'))
        if (liars === 1) assert.deepEqual(decision.flaky, [], 'a lone liar cannot make a test flaky')
        for (const dissent of decision.testDissents) assert.equal(dissent.accepted, 'passed')
      }),
      { seed, numRuns: 1_000 },
    )
  })
