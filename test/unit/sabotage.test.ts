import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Cell, runCell } from '../../bench/sabotage/cell.ts'
import { createFirstAgree } from '../../bench/sabotage/first-agree.ts'
import { cellOptionsOf, squaresOf } from '../../bench/sabotage/grid.ts'
import { createMean, wilson } from '../../bench/sabotage/interval.ts'
import { createRandom } from '../../bench/sabotage/random.ts'
import { tryRing } from '../../bench/sabotage/referee-trials.ts'
import { strategies } from '../../bench/sabotage/strategy.ts'
import { markdownOf } from '../../bench/sabotage/table.ts'
import { createTally } from '../../bench/sabotage/tally.ts'
import { judgeTargets, targetSquares } from '../../bench/sabotage/targets.ts'
import { answerOfRun } from '../../bench/sabotage/trial.ts'
import { modelDefaults, World } from '../../bench/sabotage/world.ts'
import { Book, type Change, ringRuns } from '../../src/consensus/book.ts'
import { settleClosed } from '../../src/consensus/consequences.ts'

const seed = 20261120

const cell = (scheme: string, strategy: 'A1' | 'A3' | 'A5', hostile: number, jobs: number): Cell =>
  runCell(cellOptionsOf({ scheme, strategy, hostile, jobs }, seed))

/** Sleepers in the model of 7.6: nobody comes or goes, and nothing is flaky. */
const sleepers = (scheme: string, hostile: number): Cell =>
  runCell({
    ...cellOptionsOf({ scheme, strategy: 'A4', hostile, jobs: 20_000 }, seed),
    model: { churn: false, flaky: 0 },
  })

/** Scheme -> R, and what one lie of sleepers at f = 20 % does: the table of 7.6. */
const published: Record<string, readonly [runs: number, wrong: number]> = {
  boinc: [1.21, 0.19],
  'first-2': [2, 0.1],
  'first-3': [3.01, 0.057],
  'poco-1000': [3.17, 0.056],
  'poco-10000': [3.76, 0.015],
  'sarmenta-0.999': [3.55, 0.037],
  'sarmenta-0.9999': [4.2, 0.014],
}

describe(`sabotage bench, seed ${seed}`, () => {
  for (const [scheme, [runs, wrong]] of Object.entries(published))
    it(`${scheme} does what 7.6 measured of it`, () => {
      const { runs: measured, checks, wrongAccepted } = sleepers(scheme, 0.2)
      near(measured.value + checks.value, runs, 0.03, 'R')
      // 20,000 attacks tell a share of 1.4 % to a sixth at best; Sarmenta's jumps with the checks passed by then.
      near(wrongAccepted.value, wrong, 0.2, 'wrong accepted')
    })

  it('lets no lie of a ring that always lies stand, where first 2 agree lets many', () => {
    const ours = cell('ours-N', 'A3', 0.1, 4_000)
    assert.equal(ours.wrongLive.value, 0)
    assert.ok(ours.runs.value < 3.8, `R ${ours.runs.value}`)
    assert.ok(cell('first-2', 'A3', 0.1, 4_000).wrongLive.value > 0.02)
  })

  it('sees a stealth ring get through at first, so that none seen means something', () => {
    assert.ok(cell('ours-N', 'A5', 0.3, 1_500).wrongAccepted.value > 0)
  })

  it('calls flaky what is, and accepts what is not', () => {
    const { flakyPrecision, flakyRecall, unresolved, wrongAccepted } = cell('ours-N', 'A1', 0, 4_000)
    assert.ok(flakyPrecision.value > 0.9 && flakyRecall.value > 0.4)
    assert.equal(unresolved.value + wrongAccepted.value, 0)
  })

  it('gives the same figures for the same seed, others for another', () => {
    const options = cellOptionsOf({ scheme: 'ours-N', strategy: 'A5', hostile: 0.2, jobs: 1_000 }, seed)
    assert.deepEqual(runCell(options), runCell(options))
    assert.notDeepEqual(runCell({ ...options, seed: seed + 1 }), runCell(options))
  })
})

describe('the grid', () => {
  it('has every scheme against every strategy once', () => {
    const squares = squaresOf({ jobs: 10 })
    const names = squares.map(({ scheme, strategy, hostile }) => `${hostile} ${strategy} ${scheme}`)
    assert.equal(new Set(names).size, names.length)
    for (const strategy of ['A1', 'A2', 'A3', 'A4', 'A5', 'A6'])
      for (const scheme of [...Object.keys(published), 'ours-N'])
        for (const hostile of [0.05, 0.1, 0.2, 0.3])
          assert.ok(names.includes(`${hostile} ${strategy} ${scheme}`))
  })

  it('gives exactly the cells that are asked for', () => {
    const one = squaresOf({ jobs: 10, only: ['10/A3/ours-N'] })
    assert.deepEqual(one, [{ scheme: 'ours-N', strategy: 'A3', hostile: 0.1, jobs: 10 }])
    assert.equal(squaresOf({ jobs: 10, only: ['5/*/boinc'] }).length, 8)
    assert.deepEqual(squaresOf({ jobs: 10, only: ['15//'] }), [])
  })

  it('has the cells every target needs', () => {
    assert.equal(squaresOf({ jobs: 10, only: targetSquares }).length, targetSquares.length)
  })
})

describe('targets', () => {
  const tiny = runCell(cellOptionsOf({ scheme: 'ours-N', strategy: 'A3', hostile: 0.1, jobs: 200 }, seed))
  const first = (cells: Cell[]) => judgeTargets(cells).find(({ name }) => name === 'T1')

  it('are met, not met, or not judged without their cell', () => {
    const good = { ...tiny, runs: { value: 3.4, low: 3.3, high: 3.5 }, wrongLive: wilson(0, 200) }
    assert.equal(first([good])?.met, true)
    assert.equal(first([{ ...good, runs: { ...good.runs, value: 3.51 } }])?.met, false)
    assert.equal(first([{ ...good, wrongLive: wilson(1, 200) }])?.met, false)
    assert.equal(first([{ ...good, unresolved: wilson(1, 200) }])?.met, false)
    assert.equal(first([])?.met, undefined)
  })

  it('are printed with a table that has one row per scheme', () => {
    const lines = markdownOf([tiny, { ...tiny, scheme: 'another' }]).split('\n')
    assert.equal(lines.filter(line => line.startsWith('| ours N') || line.startsWith('| another')).length, 2)
  })
})

describe('a suspected group', () => {
  const volunteers = ['a', 'b', 'c']
  /** What referees make of a group that said `answer`. */
  const tried = (answer: string, flaky: number) => {
    const random = createRandom(seed)
    const world = new World({
      ...modelDefaults,
      strategy: strategies.A1,
      random,
      hostile: 0,
      fault: 0,
      flaky,
    })
    const book = new Book()
    for (const volunteer of volunteers)
      book.apply({ type: 'joined', volunteer, operator: volunteer, network: '', vouched: 'founder' }, 0)
    for (const volunteer of ['r', 's'])
      book.apply({ type: 'joined', volunteer, operator: volunteer, network: '', vouched: 'referee' }, 0)
    book.apply({ type: 'suspected', job: 'it', answer: answerOfRun(answer), intake: '', volunteers }, 0)
    const changes: Change[] = []
    const runs = tryRing({ id: 'it', job: world.nextJob() }, { book, world, referees: ['r', 's'] }, closed =>
      changes.push(...settleClosed(book, closed, 0)),
    )
    assert.equal(book.suspicion('it'), undefined)
    const count = (type: Change['type']) => changes.filter(change => change.type === type).length
    return { runs, tried: count('tried'), banned: count('banned') }
  }

  it('is banned when no referee bears it out', () => {
    assert.deepEqual(tried('lie', 0), { runs: ringRuns, tried: ringRuns, banned: 3 })
    assert.deepEqual(tried('lie', 1), { runs: ringRuns, tried: ringRuns, banned: 3 })
  })

  it('is let go when the job does not repeat', () => {
    const { runs, tried: seen, banned } = tried('other', 1)
    assert.equal(banned, 0)
    assert.ok(seen < ringRuns && seen <= runs && runs % 5 === 0, `${seen} of ${runs}`)
  })
})

describe('the tally', () => {
  const world = new World({
    ...modelDefaults,
    strategy: strategies.A3,
    random: createRandom(seed),
    hostile: 0,
  })
  const scheme = createFirstAgree(2)
  const runs = { runs: 3, referees: 0, checks: 0 }
  const accepted = (answer: string) => ({ verdict: 'accept' as const, answer, ...runs })

  it('follows reports that are withdrawn, made again or called flaky later', () => {
    const tally = createTally()
    const [wrong, right, flaky, late] = [0, 1, 2, 3].map(() => world.nextJob())
    assert.ok(wrong && right && flaky && late)
    tally.add(wrong, accepted(wrong.lie), [])
    tally.add(right, accepted(right.truth), [])
    tally.add({ ...flaky, flaky: true }, accepted('other'), [])
    tally.add({ ...late, flaky: false }, accepted(late.truth), [
      { job: wrong, made: 'withdrawn' },
      { job: wrong, made: accepted(wrong.truth) },
      { job: right, made: 'withdrawn' },
      { job: right, made: accepted(right.lie) },
      { job: { ...flaky, flaky: true }, made: { verdict: 'flaky' } },
    ])
    tally.end(world, scheme, false)
    const figures = tally.figures()
    assert.equal(figures.wrongAccepted.value, 2 / 4)
    assert.equal(figures.wrongLive.value, 1 / 4)
    assert.equal(figures.rightWithdrawn.value, 1 / 4)
    assert.equal(figures.flakyRecall.value, 1)
    assert.equal(figures.exposure.value, (3 + 0) / 2)
  })
})

describe('its arithmetic', () => {
  it('gives the Wilson interval', () => {
    // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    const cases = [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ] as const
    for (const [hits, of, low, high] of cases) {
      const interval = wilson(hits, of)
      assert.ok(Math.abs(interval.low - low) < 5e-5, `${interval.low} for ${low}`)
      assert.ok(Math.abs(interval.high - high) < 5e-5, `${interval.high} for ${high}`)
    }
  })

  it('gives mean and normal interval', () => {
    const mean = createMean()
    for (const value of [2, 4, 4, 4, 5, 5, 7, 9]) mean.add(value)
    const { value, high } = mean.estimate()
    assert.equal(value, 5)
    assert.ok(Math.abs(high - 5 - 1.959964 * Math.sqrt(32 / 7 / 8)) < 1e-9)
  })

  it('draws numbers that are spread evenly', () => {
    const random = createRandom(seed)
    const counts = Array.from({ length: 16 }, () => 0)
    for (let count = 0; count < 16_000; count++) {
      const slot = random.below(16)
      counts[slot] = (counts[slot] ?? 0) + 1
    }
    const spread = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
    // Chi-square with 15 degrees of freedom: 37.7 at 0.001.
    assert.ok(spread < 37.7, `chi-square ${spread}`)
  })
})

function near(value: number, wanted: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(value / wanted - 1) <= tolerance, `${what} is ${value}, not near ${wanted}`)
}
