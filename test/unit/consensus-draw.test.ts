import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { extraMax } from '../../src/consensus/classes.ts'
import {
  type Candidate,
  chance,
  extraSeats,
  nextSeats,
  ranked,
  rankOf,
  seedOf,
} from '../../src/consensus/draw.ts'
import { sha256 } from '../../src/wire/canonical.ts'

const seed = 20_261_120
const nobody: ReadonlySet<string> = new Set()
const draws = 20_000
const drawSeed = (n: number) => seedOf(sha256(`beacon ${n}`), sha256(`job ${n}`))
const candidate = (volunteer: string, ...tags: string[]): Candidate => ({ volunteer, tags })
const crowd = (count: number) => Array.from({ length: count }, (_, n) => candidate(`v${n}`, `operator:o${n}`))
const names = (seats: readonly Candidate[]) => seats.map(({ volunteer }) => volunteer)

/** Pearson's statistic against equal (or the given) shares of all that was counted. */
function chiSquare(counts: readonly number[], shares = counts.map(() => 1 / counts.length)): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce((sum, count, at) => {
    const expected = total * (shares[at] ?? 0)
    return sum + (count - expected) ** 2 / expected
  }, 0)
}

test('seed and rank are SHA-256 of the texts that are written down', () => {
  // printf 'pyti-draw/v1\n00\n11\n' | sha256sum, and the like for the rank
  assert.equal(seedOf('00', '11'), 'feebf15af27349907d9c28437d43d7e9587d483179df34db552ac3ac28b1ecaf')
  assert.equal(rankOf('00', 'v'), '4be986eaa1c13aa3615c45f08aa4cd03b5dde83e29c6fc98e9bd6a87756f9648')
})

test('every volunteer is first equally often, and every pair sits equally often', () => {
  const ten = crowd(10)
  const first = Array<number>(10).fill(0)
  const pairs = new Map<string, number>()
  for (let n = 0; n < draws; n += 1) {
    const [a, b] = names(nextSeats(ranked(ten, drawSeed(n)), [], nobody, 2))
    const place = Number(a?.slice(1))
    first[place] = (first[place] ?? 0) + 1
    const pair = [a, b].sort().join()
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1)
  }
  assert.equal(pairs.size, 45)
  // 9 and 44 degrees of freedom: by chance one seed in a thousand is above these.
  assert.ok(chiSquare(first) < 27.9, `first places ${first}`)
  assert.ok(chiSquare([...pairs.values()]) < 78.7, 'pairs')
})

test('whoever joins or leaves changes nothing for the others: their order stays', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 30 }), fc.nat(), (n, size, gone) => {
      const order = names(ranked(crowd(size), drawSeed(n)))
      const left = crowd(size).filter((_, at) => at !== gone % size)
      assert.deepEqual(
        names(ranked(left.reverse(), drawSeed(n))),
        order.filter(name => name !== `v${gone % size}`),
      )
    }),
    { seed, numRuns: 300 },
  )
})

const anyTag = fc.integer({ min: 0, max: 12 }).map(n => `tag${n}`)
const anyCrowd = fc
  .array(fc.uniqueArray(anyTag, { maxLength: 3 }), { maxLength: 25 })
  .map(all => all.map((tags, n) => candidate(`v${n}`, ...tags)))
const anyNames = fc.uniqueArray(
  fc.integer({ min: 0, max: 24 }).map(n => `v${n}`),
  { maxLength: 10 },
)

test('nobody sits twice, was passed over, or shares a tag with another; nobody is left out for less', () => {
  fc.assert(
    fc.property(anyCrowd, anyNames, anyNames, fc.nat({ max: 8 }), fc.nat(), (all, sit, passed, wanted, n) => {
      const order = ranked(all, drawSeed(n))
      // Those that sit were seated by the same rule.
      const taken = nextSeats(
        order.filter(one => sit.includes(one.volunteer)),
        [],
        nobody,
        5,
      )
      const skipped = new Set(passed)
      const chosen = nextSeats(order, taken, skipped, wanted)
      const seated = [...taken, ...chosen]
      assert.equal(new Set(names(seated)).size, seated.length)
      assert.ok(chosen.length <= wanted)
      assert.ok(names(chosen).every(name => !skipped.has(name)))
      const tags = seated.flatMap(one => one.tags)
      assert.equal(new Set(tags).size, tags.length, 'two of them share a tag')
      // By rank, and everybody before the last one who does not sit has a reason not to.
      const last = chosen.length < wanted ? order.length : order.indexOf(chosen.at(-1) ?? candidate(''))
      assert.deepEqual(
        chosen,
        order.filter(one => chosen.includes(one)),
      )
      for (const one of order.slice(0, Math.max(0, last)))
        if (!names(seated).includes(one.volunteer) && !skipped.has(one.volunteer))
          assert.ok(
            one.tags.some(tag => tags.includes(tag)),
            `${one.volunteer} has no reason to stand`,
          )
    }),
    { seed, numRuns: 2_000 },
  )
})

test('tags are not chained: strangers that share one with a third each may sit together', () => {
  const middle = candidate('middle', 'operator:a', 'network:b')
  const strangers = [candidate('one', 'operator:a'), candidate('two', 'network:b')]
  assert.deepEqual(names(nextSeats([...strangers, middle], [], nobody, 3)), ['one', 'two'])
  assert.deepEqual(names(nextSeats([middle, ...strangers], [], nobody, 3)), ['middle'])
})

test('a tag of somebody passed over keeps nobody from a seat', () => {
  const [gone, here] = [candidate('gone', 'operator:a'), candidate('here', 'operator:a')]
  assert.deepEqual(names(nextSeats([gone, here], [], new Set(['gone']), 1)), ['here'])
})

test('hidden seats: each follows the one before it with a chance of a quarter, four at most', () => {
  const counts = Array<number>(extraMax + 1).fill(0)
  for (let n = 0; n < draws; n += 1) {
    const extra = extraSeats(drawSeed(n), sha256(`salt ${n}`).slice(0, 32), 250)
    counts[extra] = (counts[extra] ?? 0) + 1
  }
  const shares = [0, 1, 2, 3].map(extra => 0.75 * 0.25 ** extra)
  // 4 degrees of freedom: by chance one seed in a thousand is above it.
  assert.ok(chiSquare(counts, [...shares, 0.25 ** extraMax]) < 18.5, `${counts}`)
  assert.equal(extraSeats('s', 's', 0), 0)
  assert.equal(extraSeats('s', 's', 1_000), extraMax)
})

test('a chance is as large as it says', () => {
  for (const perMille of [10, 250, 500]) {
    let times = 0
    for (let n = 0; n < draws; n += 1) if (chance(drawSeed(n), 'salt', 'referee', perMille)) times += 1
    const expected = (draws * perMille) / 1_000
    assert.ok(Math.abs(times - expected) < 3.3 * Math.sqrt(expected), `${times} of ${expected}`)
  }
  for (let n = 0; n < 500; n += 1) {
    assert.equal(chance(drawSeed(n), 'salt', 'x', 0), false)
    assert.equal(chance(drawSeed(n), 'salt', 'x', 1_000), true)
  }
})

test('without the salt nobody foresees it, and each thing is decided by itself', () => {
  const outcomes = (salt: string, what: string) =>
    Array.from({ length: 200 }, (_, n) => chance(drawSeed(n), salt, what, 500))
  const same = (a: boolean[], b: boolean[]) => a.filter((one, at) => one === b[at]).length
  for (const other of [outcomes('salt', 'extra 0'), outcomes('other', 'referee')]) {
    const agreeing = same(outcomes('salt', 'referee'), other)
    assert.ok(agreeing > 70 && agreeing < 130, `${agreeing} of 200 are alike`)
  }
})
