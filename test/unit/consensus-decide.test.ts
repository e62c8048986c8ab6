import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Ballot } from '../../src/consensus/ballot.ts'
import { openRules, rulesOf } from '../../src/consensus/classes.ts'
import { mostWeight } from '../../src/consensus/credibility.ts'
import { type Cast, type Decision, decide as decideBy, type Role } from '../../src/consensus/decide.ts'
import { PytiError } from '../../src/errors.ts'
import { type TestOutcome, testOutcomes } from '../../src/wire/raw-data.ts'

const seed = 20_261_120
const decide = (casts: readonly Cast[], rules = openRules) => decideBy(casts, rules)
const weighed = rulesOf('N', { extra: 0, spotReferees: 0, referees: 5 })

function ballot(section: string, tests: Record<string, TestOutcome> = {}): Ballot {
  return { sections: { build: section, guest: 'same' }, tests }
}

function cast(name: string, of: Ballot, role: Role = 'seat', weight = mostWeight): Cast {
  return { volunteer: name, ballot: of, role, cluster: `operator of ${name}`, weight }
}

function casts(...ballots: Ballot[]): Cast[] {
  return ballots.map((one, index) => cast(`v${index}`, one))
}

function ofTest(...outcomes: TestOutcome[]): Cast[] {
  return casts(...outcomes.map(outcome => ballot('a', { t: outcome, steady: 'passed' })))
}

/** One volunteer per letter, which is its answer. */
function sections(letters: string, role: Role = 'seat'): Cast[] {
  return [...letters].map((letter, index) => cast(`${role} ${index}`, ballot(letter), role))
}

function assertAccepted(decision: Decision): asserts decision is Extract<Decision, { kind: 'accept' }> {
  assert.equal(decision.kind, 'accept', JSON.stringify(decision))
}

for (const [letters, seats] of [
  ['', 3],
  ['a', 2],
  ['ab', 1],
] as const)
  test(`sections "${letters}" wait for ${seats} more, dissent or not`, () => {
    assert.deepEqual(decide(sections(letters)), { kind: 'wait', role: 'seat', seats })
  })

test('three alike are accepted', () => {
  assert.deepEqual(decide(casts(ballot('a'), ballot('a'), ballot('a'))), {
    kind: 'accept',
    agreeing: ['v0', 'v1', 'v2'],
    dissenting: [],
    flaky: [],
    testDissents: [],
  })
})

test('hidden seats have to answer too', () => {
  const rules = rulesOf('N', { extra: 2, spotReferees: 0, referees: 5 })
  assert.deepEqual(decide(sections('aaa'), rules), { kind: 'wait', role: 'seat', seats: 2 })
  assertAccepted(decide(sections('aaaaa'), rules))
})

test('a referee is called without any dissent when it was drawn', () => {
  const rules = rulesOf('N', { extra: 0, spotReferees: 1, referees: 5 })
  assert.deepEqual(decide(sections('aaa'), rules), { kind: 'wait', role: 'referee', seats: 1 })
  assertAccepted(decide([...sections('aaa'), ...sections('a', 'referee')], rules))
})

test('odds that are too low ask for one more seat at a time, and end unresolved when all are used', () => {
  const newcomers = (count: number) =>
    Array.from({ length: count }, (_, n) => cast(`v${n}`, ballot('a'), 'seat', 4_000))
  assert.deepEqual(decide(newcomers(3), weighed), { kind: 'wait', role: 'seat', seats: 1 })
  // 4^7 = 16,384 is the first power above 9,999.
  assertAccepted(decide(newcomers(7), weighed))
  assert.equal(decide(newcomers(6), weighed).kind, 'wait')
  const { kind } = decide(newcomers(7), { ...weighed, odds: 99_999 })
  assert.equal(kind, 'unresolved')
})

test('volunteers of one operator are one voice', () => {
  const same = sections('aaa').map(one => ({ ...one, cluster: 'one owner' }))
  assert.deepEqual(decide(same, weighed), { kind: 'wait', role: 'seat', seats: 1 })
})

test('a shadow seat is never counted, whatever it says', () => {
  assertAccepted(decide([...sections('aaa'), ...sections('b', 'shadow')], weighed))
  assert.deepEqual(decide([...sections('aa'), ...sections('a', 'shadow')], weighed), {
    kind: 'wait',
    role: 'seat',
    seats: 1,
  })
})

test('nothing is accepted over a dissent: a panel of five others looks into it where there are no referees', () => {
  assert.deepEqual(decide(sections('aab')), { kind: 'wait', role: 'panel', seats: 5 })
  assert.deepEqual(decide([...sections('aab'), ...sections('aa', 'panel')]), {
    kind: 'wait',
    role: 'panel',
    seats: 3,
  })
  const decision = decide([...sections('aab'), ...sections('aaaaa', 'panel')])
  assertAccepted(decision)
  assert.deepEqual(decision.dissenting, ['seat 2'])
  assert.equal(decision.agreeing.length, 7)
})

test('a unanimous panel overrules the seats', () => {
  const decision = decide([...sections('aab'), ...sections('bbbbb', 'panel')])
  assertAccepted(decision)
  assert.deepEqual(decision.dissenting, ['seat 0', 'seat 1'])
  const neither = decide([...sections('aab'), ...sections('ccccc', 'panel')])
  assertAccepted(neither)
  assert.equal(neither.dissenting.length, 3)
})

test('a panel that is not unanimous: reproduced answers are flaky, lone ones unresolved', () => {
  const flaky = decide([...sections('aab'), ...sections('aaaab', 'panel')])
  assert.equal(flaky.kind, 'flaky')
  assert.deepEqual(flaky.kind === 'flaky' && flaky.sections, ['build'])
  assert.equal(flaky.kind === 'flaky' && flaky.agreeing.length, 6, 'the most frequent answer is shown')
  assert.equal(flaky.kind === 'flaky' && flaky.dissenting.length, 2)
  const lone = decide([...sections('aab'), ...sections('aaaac', 'panel')])
  assert.equal(lone.kind, 'unresolved')
})

test('referees settle a dissent: two first, then the rest, all alike', () => {
  const dissent = sections('aab')
  assert.deepEqual(decide(dissent, weighed), { kind: 'wait', role: 'referee', seats: 2 })
  assert.deepEqual(decide([...dissent, ...sections('aa', 'referee')], weighed), {
    kind: 'wait',
    role: 'referee',
    seats: 3,
  })
  const decision = decide([...dissent, ...sections('aaaaa', 'referee')], weighed)
  assertAccepted(decision)
  assert.deepEqual(decision.dissenting, ['seat 2'])
})

test('referees overrule a majority that lies', () => {
  const decision = decide([...sections('bba'), ...sections('aaaaa', 'referee')], weighed)
  assertAccepted(decision)
  assert.deepEqual(decision.dissenting, ['seat 0', 'seat 1'])
})

test('referees that differ are enough to call it flaky', () => {
  const decision = decide([...sections('aab'), ...sections('ab', 'referee')], weighed)
  assert.equal(decision.kind, 'flaky')
  assert.match(
    decision.kind === 'flaky' ? decision.reason : '',
    /does not repeat: 5 volunteers differ in build/,
  )
})

test('a section that one volunteer lacks is a dissent', () => {
  const [first, ...rest] = sections('aaa')
  assert(first)
  const lacking = { ...first, ballot: { sections: { build: 'a' }, tests: {} } }
  assert.equal(decide([lacking, ...rest]).kind, 'wait')
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
    assert.deepEqual(decide(ofTest(...outcomes)), { kind: 'wait', role: 'seat', seats: 1 })
  }
  const decision = decide(ofTest('passed', 'passed', 'failed', 'passed', 'passed', 'passed', 'passed'))
  assertAccepted(decision)
  assert.deepEqual(decision.flaky, [])
  assert.deepEqual(decision.testDissents, [
    { test: 't', volunteer: 'v2', outcome: 'failed', accepted: 'passed' },
  ])
})

test('a single dissent with too few others is unresolved', () => {
  const decision = decide(ofTest('passed', 'passed', 'failed', 'passed'), { ...openRules, maxSeats: 4 })
  assert.equal(decision.kind, 'unresolved')
  assert.deepEqual(decision.kind === 'unresolved' && decision.tests, ['t'])
})

test('a dissent in the sections does not speak on tests', () => {
  const wrong = cast('v9', ballot('b', { t: 'failed' }))
  const panel = [1, 2, 3, 4, 5].map(n =>
    cast(`p${n}`, ballot('a', { t: 'passed', steady: 'passed' }), 'panel'),
  )
  const decision = decide([...ofTest('passed', 'passed'), wrong, ...panel])
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

/** Plays a job: whoever is next in the given order takes what is asked for, until a decision is final. */
function play(order: Cast[]): { decision: Decision; seated: Cast[] } {
  const seated: Cast[] = []
  const waiting = [...order]
  for (;;) {
    const decision = decide(seated)
    if (decision.kind !== 'wait' || waiting.length < decision.seats) return { decision, seated }
    for (const next of waiting.splice(0, decision.seats)) seated.push({ ...next, role: decision.role })
  }
}

for (const liars of [1, 2])
  test(`${liars} liar(s) in twelve never get their own sections accepted`, () => {
    const lie = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...testOutcomes))
    const scene = fc.array(lie, { minLength: liars, maxLength: liars }).chain(lies => {
      const honest = Array.from({ length: 12 - liars }, () => ballot('a', { t: 'passed' }))
      const all = casts(...lies.map(([section, outcome]) => ballot(section, { t: outcome })), ...honest)
      return fc.shuffledSubarray(all, { minLength: 12 })
    })
    let accepted = 0
    fc.assert(
      fc.property(scene, order => {
        const { decision, seated } = play(order)
        if (decision.kind !== 'accept') return
        accepted += 1
        const agreeing = seated.filter(one => decision.agreeing.includes(one.volunteer))
        assert(agreeing.every(one => one.ballot.sections.build === 'a'))
        if (liars === 1) assert.deepEqual(decision.flaky, [], 'a lone liar cannot make a test flaky')
        for (const dissent of decision.testDissents) assert.equal(dissent.accepted, 'passed')
      }),
      { seed, numRuns: 1_000 },
    )
    assert.ok(accepted > 100, `${accepted} of 1,000 were accepted`)
  })
