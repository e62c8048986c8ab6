import assert from 'node:assert/strict'
import { it } from 'node:test'
import { auditLog } from '../../src/attest/audit/audit.ts'
import { makeLog } from '../helpers/log-maker.ts'

/** Target T7: no false proof in 1,000,000 honest entries (volunteer-compute.md 7.7). */
const wanted = Number(process.env.PYTI_HONEST_ENTRIES ?? 50_000)
const firstSeed = 5_000

it(`the audit holds nothing against ${wanted} honest entries`, async t => {
  let entries = 0
  let logs = 0
  for (let seed = firstSeed; entries < wanted; seed += 1) {
    // Volunteers lie and jobs do not repeat; the coordinator is honest.
    const happens = {
      lies: 200 * (seed % 6),
      wobbles: 100 * (seed % 3),
      known: 100,
      samples: 100,
      audits: 100,
    }
    const people = { ring: 2 + (seed % 5), sleeps: seed % 2 === 0 ? 0 : 12, late: seed % 3 === 0 ? 12 : 0 }
    const made = await makeLog(seed, 60, {}, { ...happens, ...people })
    const { faults } = await auditLog(made.source, { key: made.key, witnesses: [made.witness] })
    assert.deepEqual(faults, [], `seed ${seed}`)
    entries += made.entries.length
    logs += 1
  }
  t.diagnostic(`${entries} entries in ${logs} logs`)
})
