import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { askedFor, report, shapes, showTrace, sound } from '../helpers/sim-run.ts'
import { checkSignaturesAtOnce } from '../helpers/sim-signatures.ts'
import { simulate } from '../helpers/sim-world.ts'

checkSignaturesAtOnce()

const seeds = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at)
const runs = [
  { name: 'open', seeds: seeds(1, 12) },
  { name: 'owners', seeds: seeds(1, 6) },
  { name: 'weighed', seeds: seeds(1, 6) },
  { name: 'ringed', seeds: seeds(1, 5) },
  { name: 'sampled', seeds: seeds(1, 3) },
  { name: 'unmasked', seeds: seeds(5, 1) },
  { name: 'witnessed', seeds: seeds(1, 4) },
  { name: 'large-open', seeds: seeds(1, 1) },
  { name: 'large-weighed', seeds: seeds(2, 1) },
] as const

describe('simulated network', () => {
  if (askedFor !== undefined)
    for (const [name, shape] of Object.entries(shapes))
      it(`seed ${askedFor} (${name})`, async () =>
        sound(name, await simulate(askedFor ?? 0, shape, { trace: showTrace })))
  else {
    it('does the same for the same seed, and something else for another one', async () => {
      const other = await simulate(8, shapes.weighed)
      for (const name of ['weighed', 'sampled', 'witnessed'] as const) {
        const [first, second] = [await simulate(7, shapes[name]), await simulate(7, shapes[name])]
        assert.equal(first.hash, second.hash, report(name, second))
        assert.notEqual(first.hash, other.hash)
      }
    })

    for (const { name, seeds: some } of runs)
      it(`keeps every promise: ${name}, seeds ${some[0]} to ${some.at(-1)}`, async test => {
        let steps = 0
        let reported = 0
        let unresolved = 0
        for (const seed of some) {
          const result = await simulate(seed, shapes[name])
          sound(name, result)
          steps += result.steps
          reported += result.reported
          unresolved += result.unresolved
        }
        test.diagnostic(
          `${some.length} seeds, ${steps} events, ${reported} reports, ${unresolved} unresolved`,
        )
        assert.ok(reported > unresolved, 'whoever gives every job up breaks no promise')
      })
  }
})
