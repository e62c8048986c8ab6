import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Policy, policyOf } from '../../src/attest/policy.ts'
import { classes, classOf, extraMax, jobClasses, openRules, rulesOf } from '../../src/consensus/classes.ts'
import { mostWeight, oddsReach } from '../../src/consensus/credibility.ts'

const none = { extra: 0, spotReferees: 0, referees: 0 }

test('classes ask for what the reference tables (volunteer-compute.md 7.4)', () => {
  const { R, N, H, X } = classes
  const table = [R, N, H, X].map(one => [one.quorum, one.odds, one.extra, one.referee, one.audit])
  assert.deepEqual(table, [
    [2, 999, 250, 10, 10],
    [3, 9_999, 250, 10, 10],
    [4, 9_999, 250, 100, 50],
    [5, 99_999, 250, 250, 100],
  ])
})

test('a quorum of best voices reaches the odds of its class', () => {
  for (const jobClass of jobClasses) {
    const { quorum, odds } = classes[jobClass]
    const voices = Array.from({ length: quorum }, (_, n) => ({ cluster: `c${n}`, weight: mostWeight }))
    assert.ok(oddsReach(voices, odds), jobClass)
  }
})

test('the class of a job: who accuses before who is popular before what was reported', () => {
  const facts = (bits: number) => ({
    weighed: (bits & 8) > 0,
    accusing: (bits & 4) > 0,
    popular: (bits & 2) > 0,
    reported: (bits & 1) > 0,
  })
  const chosen = Array.from({ length: 16 }, (_, bits) => classOf(facts(bits)))
  assert.deepEqual(chosen.slice(0, 8), Array(8).fill('open'), 'nobody is weighed without founders')
  assert.deepEqual(chosen.slice(8), ['N', 'R', 'H', 'H', 'X', 'X', 'X', 'X'])
})

test('the rules of a class with what was drawn', () => {
  const rules = rulesOf('N', { extra: 2, spotReferees: 1, referees: 9 })
  assert.deepEqual(rules, {
    jobClass: 'N',
    quorum: 3,
    odds: 9_999,
    seats: 5,
    maxSeats: 9,
    panel: 5,
    referees: 5,
    refereePool: 9,
    spotReferees: 1,
  })
})

test('one referee is none, and none is called who is not there', () => {
  for (const referees of [0, 1]) {
    const rules = rulesOf('X', { extra: 0, spotReferees: 1, referees })
    assert.deepEqual([rules.referees, rules.spotReferees], [0, 0])
  }
  const two = rulesOf('X', { extra: 0, spotReferees: 1, referees: 2 })
  assert.deepEqual([two.referees, two.spotReferees], [2, 1])
})

test('only class open takes the quorum of its coordinator', () => {
  assert.equal(rulesOf('open', none, 1).quorum, 1)
  assert.equal(rulesOf('open', none, 7).seats, 7)
  for (const jobClass of ['R', 'N', 'H', 'X', 'K'] as const)
    assert.equal(rulesOf(jobClass, none, 1).quorum, classes[jobClass].quorum)
  assert.deepEqual(openRules, rulesOf('open', none, classes.open.quorum))
})

test('the rules of every class and draw are ones a report can name', () => {
  for (const jobClass of jobClasses)
    for (let extra = 0; extra <= extraMax; extra += 1)
      for (const referees of [0, 2, 5, 1_000]) {
        const rules = rulesOf(jobClass, { extra, spotReferees: 1, referees })
        assert.deepEqual(Policy.parse(policyOf(rules)).annotations, rules)
        assert.ok(rules.seats >= rules.quorum && rules.maxSeats > rules.seats)
      }
})
