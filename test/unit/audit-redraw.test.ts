import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { auditLog } from '../../src/attest/audit/audit.ts'
import { confirmFault, decodeFault, encodeFault, type FaultOf } from '../../src/attest/faults.ts'
import { makeLog } from '../helpers/log-maker.ts'
import type { MadeLog, Tampering } from '../helpers/log-parts.ts'

const options = { lies: 0, wobbles: 0, late: 4 }
const audit = (made: MadeLog) => auditLog(made.source, { key: made.key, envelopes: false })
const seeds = fc.integer({ min: 1, max: 1e6 })

it('accuses nobody who lets jobs wait until a roster has enough operators for them', async t => {
  let waited = 0
  let covered = 0
  await fc.assert(
    fc.asyncProperty(seeds, async seed => {
      const made = await makeLog(seed, 7, {}, options)
      const { faults } = await audit(made)
      assert.deepEqual(
        faults.map(({ detail }) => detail),
        [],
        `seed ${seed}`,
      )
      for (const { close } of made.done) {
        const before = made.maker.beacons.filter(
          ({ index, size }) => size > close.task && index < (close.draw?.beacon ?? 0),
        )
        if (before.length > 0) waited += 1
        if (before.some(({ size }) => size > (close.draw?.roster ?? 0))) covered += 1
      }
    }),
    { seed: 1, numRuns: 25 },
  )
  t.diagnostic(`${waited} jobs waited under a beacon`)
  assert.ok(waited > 10, `${waited}`)
  assert.equal(covered, 0, 'none was under the roster that it was drawn from')
})

/** Sees the seed, logs one roster more, and draws again: as often as it likes. */
const redraw = (at: number, times: number): Tampering => ({
  async draw(draw, { maker, job, id }) {
    if (job !== at) return
    for (let time = 0; time < times; time += 1) {
      maker.refresh()
      Object.assign(draw, await maker.logBeacon(maker.rosterBelow(), id))
    }
  },
})

it('convicts who logs a new roster to draw again', () =>
  fc.assert(
    fc.asyncProperty(seeds, fc.nat(5), fc.integer({ min: 1, max: 3 }), async (seed, at, times) => {
      const made = await makeLog(seed, 6, redraw(at, times), { lies: 0, wobbles: 0 })
      const proof = redrawn(await audit(made))
      const { kind, detail } = await confirmFault(decodeFault(encodeFault(proof)))
      assert.equal(kind, 'steered-draw')
      assert.match(detail, /it was drawn from the beacon in leaf \d+, though that in leaf \d+ came first/)
    }),
    { seed: 1, numRuns: 15 },
  ))

function redrawn({ faults }: Awaited<ReturnType<typeof auditLog>>): FaultOf<'steered-draw'> {
  const proof = faults.find(({ check }) => check === 'draws')?.proof
  return proof?.kind === 'steered-draw' ? proof : assert.fail('no proof')
}

it('takes no roster for the newest one under a beacon that is not', async () => {
  const made = await makeLog(3, 6, redraw(3, 2), { lies: 0, wobbles: 0 })
  const proof = redrawn(await audit(made))
  const { newest = assert.fail('it holds no roster'), ...bare } = proof
  const { document, leaves, subtrees } = newest
  const later = { ...document, day: document.day + 1 }
  const changes = {
    'none at all': bare,
    'another document': { ...bare, newest: { ...newest, document: later } },
    'a later beginning': { ...bare, newest: { ...newest, leaves: leaves.slice(1) } },
    'a leaf less at the end': { ...bare, newest: { ...newest, leaves: leaves.slice(0, -1) } },
    'leaves out of order': { ...bare, newest: { ...newest, leaves: leaves.toReversed() } },
    'a subtree less': { ...bare, newest: { ...newest, subtrees: subtrees.slice(1) } },
    'a subtree more': { ...bare, newest: { ...newest, subtrees: [...subtrees, ...subtrees.slice(0, 1)] } },
    'another beacon': { ...bare, newest, other: proof.beacon },
    'no beacon': { ...bare, newest, other: undefined },
  }
  for (const [what, { other, ...changed }] of Object.entries(changes))
    await assert.rejects(confirmFault({ ...changed, ...(other && { other }) }), { code: 'not-a-fault' }, what)
})
