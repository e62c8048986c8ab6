import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addCheck,
  afterStrike,
  checksOn,
  leastWeight,
  mostWeight,
  oddsReach,
  oneCheck,
  type Standing,
  weightOf,
} from '../../src/consensus/credibility.ts'

const seed = 20_261_120
const anyStanding = fc.record({
  checks: fc.integer({ min: 0, max: 100_000_000 }),
  day: fc.integer({ min: 0, max: 40_000 }),
})
const days = fc.integer({ min: 0, max: 1_000 })
const voices = (weights: readonly number[]) =>
  weights.map((weight, index) => ({ cluster: `operator ${index}`, weight }))
const full = (count: number) => voices(Array.from({ length: count }, () => mostWeight))

for (const checks of [100_000, 1_000_000, 100_000_000])
  test(`${checks} thousandths of checks halve in 90 days, to within 1 per mille`, () => {
    const halved = checksOn({ checks, day: 20_000 }, 20_090)
    assert.ok(Math.abs(halved / checks - 0.5) < 0.001, String(halved))
    const quartered = checksOn({ checks, day: 20_000 }, 20_180)
    assert.ok(Math.abs(quartered / checks - 0.25) < 0.002, String(quartered))
  })

test('rounding down every day never costs a tenth of a check in 90 days', () => {
  for (const checks of [1_000, 20_000, 40_000]) {
    const lost = checks / 2 - checksOn({ checks, day: 20_000 }, 20_090)
    assert.ok(lost >= -1 && lost < 100, `${checks} thousandths lost ${lost} more than half`)
  }
})

test('checks of a day hold on that day, and never grow by waiting', () => {
  fc.assert(
    fc.property(anyStanding, days, days, (standing, first, more) => {
      assert.equal(checksOn(standing, standing.day), standing.checks)
      const then = checksOn(standing, standing.day + first)
      assert.ok(Number.isSafeInteger(then) && then >= 0 && then <= standing.checks)
      assert.ok(checksOn(standing, standing.day + first + more) <= then)
    }),
    { seed },
  )
})

test('looking in between changes nothing: decay goes day by day', () => {
  fc.assert(
    fc.property(anyStanding, days, days, (standing, first, more) => {
      const between = standing.day + first
      const seen = { checks: checksOn(standing, between), day: between }
      assert.equal(checksOn(seen, between + more), checksOn(standing, between + more))
    }),
    { seed },
  )
})

test('a clock that was set back takes nothing away and gives nothing', () => {
  const standing: Standing = { checks: 20_000, day: 100 }
  assert.equal(checksOn(standing, 99), 20_000)
  assert.deepEqual(addCheck(standing, 99), { checks: 21_000, day: 100 })
  assert.deepEqual(afterStrike(standing, 99), { checks: 13_333, day: 100 })
})

test('what is older than 4,000 days is forgotten without counting each of them', () => {
  assert.equal(checksOn({ checks: 100_000_000, day: 0 }, 4_001), 0)
  assert.equal(checksOn({ checks: 100_000_000, day: 0 }, Number.MAX_SAFE_INTEGER), 0)
})

test('checks and strikes give the same figures everywhere', () => {
  let standing: Standing = { checks: 0, day: 20_000 }
  for (let n = 0; n < 60; n += 1) standing = addCheck(standing, 20_000 + n)
  // Computed with Python's integers, from 992,328 millionths a day.
  assert.deepEqual(standing, { checks: 48_206, day: 20_059 })
  assert.deepEqual(afterStrike(standing, 20_100), { checks: 23_424, day: 20_100 })
})

test('checks have a ceiling, so that no figure leaves the safe integers', () => {
  const most: Standing = { checks: 100_000_000, day: 1 }
  assert.equal(addCheck(most, 1).checks, 100_000_000)
  assert.equal(weightOf(Number.MAX_SAFE_INTEGER), mostWeight)
})

test('weights are 4 without checks, 32 at most, and follow the formula in between', () => {
  assert.equal(weightOf(0), 4_000)
  assert.equal(leastWeight, 4_000)
  assert.equal(mostWeight, 32_000)
  for (const checks of [500, 1_000, 1_500, 2_000, 2_500, 3_000]) {
    const error = Math.min(0.2, 0.2 / (0.8 * Math.E * (checks / oneCheck)))
    assert.ok(Math.abs(weightOf(checks) / 1_000 - (1 - error) / error) < 0.002, String(checks))
  }
  assert.equal(weightOf(3_036), 32_000)
  assert.ok(weightOf(3_035) < 32_000)
})

test('weights never fall as checks rise', () => {
  const checks = fc.integer({ min: 0, max: 200_000_000 })
  fc.assert(
    fc.property(checks, checks, (a, b) => {
      const [low, high] = [weightOf(Math.min(a, b)), weightOf(Math.max(a, b))]
      assert.ok(low <= high && low >= leastWeight && high <= mostWeight && Number.isSafeInteger(low))
    }),
    { seed },
  )
})

for (const [odds, count] of [
  [999, 2],
  [9_999, 3],
  [99_999, 4],
] as const)
  test(`odds of ${odds} need ${count} voices, however much they have earned`, () => {
    assert.equal(oddsReach(full(count - 1), odds), false)
    assert.equal(oddsReach(full(count), odds), true)
  })

test('one cluster is one voice, that of its best member', () => {
  const same = full(20).map(voice => ({ ...voice, cluster: 'one' }))
  assert.equal(oddsReach(same, 32), true)
  assert.equal(oddsReach(same, 33), false)
  const two = [...voices([4_000, 4_000]), { cluster: 'operator 0', weight: 32_000 }]
  assert.equal(oddsReach(two, 128), true)
  assert.equal(oddsReach(two, 129), false)
})

test('nobody reaches nothing but odds that are not asked for', () => {
  assert.equal(oddsReach([], 0), true)
  assert.equal(oddsReach([], 1), true, 'even odds are what nobody has said anything about')
  assert.equal(oddsReach([], 2), false)
})

test('odds are the product over clusters, whatever the order and whoever repeats himself', () => {
  const weights = fc.array(fc.constantFrom(4_000, 8_000, 16_000, 32_000), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(weights, fc.nat({ max: 5 }), (some, twice) => {
      const product = some.reduce((odds, weight) => odds * (weight / 1_000), 1)
      const group = voices(some)
      const again = group[twice % group.length] ?? assert.fail()
      const shuffled = [...group, { ...again, weight: leastWeight }].reverse()
      for (const voiced of [group, shuffled]) {
        assert.equal(oddsReach(voiced, product), true)
        assert.equal(oddsReach(voiced, product + 1), false)
      }
    }),
    { seed },
  )
})
