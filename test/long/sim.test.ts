import { describe, it } from 'node:test'
import { shapes, sound } from '../helpers/sim-run.ts'
import { checkSignaturesAtOnce } from '../helpers/sim-signatures.ts'
import { simulate } from '../helpers/sim-world.ts'

checkSignaturesAtOnce()

/** Seeds of each small world; a hundredth of them of the large ones. */
const count = Number(process.env.PYTI_SIM_SEEDS ?? 1_000)
/** The short version has run the first ones. */
const first = 1_000
const counted = [
  'reported',
  'unresolved',
  'crashes',
  'late',
  'withdrawn',
  'banned',
  'samples',
  'repeated',
  'tried',
] as const

describe(`simulated network, ${count} seeds from ${first} on`, () => {
  for (const [name, shape] of Object.entries(shapes)) {
    const seeds = name.startsWith('large') ? Math.ceil(count / 100) : count
    it(`keeps every promise: ${name}, ${seeds} seeds`, async test => {
      let steps = 0
      const sums = Object.fromEntries(counted.map(what => [what, 0]))
      for (let seed = first; seed < first + seeds; seed += 1) {
        const result = await simulate(seed, shape)
        sound(name, result)
        steps += result.steps
        for (const what of counted) sums[what] = (sums[what] ?? 0) + result[what]
      }
      test.diagnostic(`${steps} events, ${JSON.stringify(sums)}`)
    })
  }
})
