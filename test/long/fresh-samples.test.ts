import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { inParallel } from '../../bench/direct.ts'
import { withDirect } from '../../bench/with-direct.ts'
import { openSamples } from '../../src/pypi/fresh-sample.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { taskNames } from '../../src/wire/job.ts'
import { contradictions } from '../../src/wire/truth.ts'
import { seededRandom } from '../helpers/coordinator-house.ts'

// What known-answer jobs are made of must be told as what it is under any name.

const wanted = { sinkhole: 24, dead: 8 } as const
const skip = process.env.PYTI_LONG !== '1' && 'boots 32 VMs: PYTI_LONG=1 runs it'

for (const network of ['sinkhole', 'dead'] as const)
  it(`${wanted[network]} fresh samples keep their truth in the network ${network}`, { skip }, async t => {
    const make = await openSamples(join(import.meta.dirname, '../../samples'))
    const random = seededRandom(`fresh samples, ${network}`)
    const made = await Promise.all(Array.from({ length: wanted[network] }, () => make(network, random)))
    const wrong: string[] = []
    await withDirect(
      { backends: [], distributions: made, signal: t.signal },
      ({ direct, drivers: [driver] }) =>
        inParallel(made, availableParallelism(), async ({ bytes, truth, ...one }) => {
          assert.ok(driver)
          const { project, version, filename, kind, sha256 } = one
          const subject = { project, version, filename, kind, sha256, size: bytes.length }
          const tasks = taskNames.filter(task => task !== 'clocks')
          const prepared = await direct.prepare({ target: { subject, origin: 'index' }, tasks, network })
          const { rawData } = await direct.run(prepared, driver.backend)
          for (const line of contradictions(truth, evaluate({ rawData: [rawData], flaky: [] })))
            wrong.push(`${filename}: ${line}`)
        }),
    )
    assert.deepEqual(wrong, [])
  })
