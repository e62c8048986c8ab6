import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Audit, type AuditOptions, auditLog } from '../../src/attest/audit/audit.ts'
import { confirmFault, decodeFault, encodeFault } from '../../src/attest/faults.ts'
import { tilePath } from '../../src/attest/log/tiles.ts'
import { dishonest } from '../helpers/log-cases.ts'
import { makeLog } from '../helpers/log-maker.ts'
import type { MadeLog, MakerOptions, Tampering } from '../helpers/log-parts.ts'
import { people } from '../helpers/log-people.ts'
import { makeLogWith } from '../helpers/log-with.ts'

const audit = (made: MadeLog, options: AuditOptions = {}): Promise<Audit> =>
  auditLog(made.source, { key: made.key, witnesses: [made.witness], ...options })

const detailsOf = ({ faults }: Audit) =>
  faults.map(({ check, leaf, detail }) => `${check} ${leaf}: ${detail}`)

describe('audit: honest logs', () => {
  it('finds nothing, whatever happens in them', async () => {
    const outcomes = new Set<string>()
    const kinds: [needs: string[], options: Partial<MakerOptions>][] = [
      [['tried', 'banned: ring'], { lies: 1_000, sleeps: 12, ring: 6, known: 100 }],
      [['withdrawn', 'known'], { lies: 1_000, sleeps: 12, ring: 4, wobbles: 100, known: 300 }],
      [['flaky'], { lies: 0, wobbles: 100, late: 12 }],
      [
        ['sample', 'audited', 'banned: ring'],
        { lies: 1_000, sleeps: 12, ring: 6, samples: 300, audits: 300 },
      ],
    ]
    for (const [seed, [needs, option]] of kinds.entries()) {
      const tampering: Tampering = {
        before(maker, job) {
          if (job === 20) maker.vouch({ founders: [...maker.policy.founders, people[14]?.peerId ?? ''] })
          if (job === 25) maker.vouch({ referees: maker.policy.referees.slice(1) })
        },
      }
      const made = await makeLogWith(needs, seed, 40, tampering, option)
      const found = await audit(made)
      assert.deepEqual(detailsOf(found), [], `seed ${seed}`)
      assert.deepEqual(
        found.checks.filter(check => check.state !== 'ok').map(check => check.name),
        ['consistency'],
        `seed ${seed}`,
      )
      for (const { close } of made.done) {
        outcomes.add(close.outcome)
        for (const change of close.changes) outcomes.add(change.type)
        for (const { role } of close.seats) outcomes.add(role)
        if (close.rules.seats > close.rules.quorum) outcomes.add('hidden seat')
        const isCovered = ({ index, size }: { index: number; size: number }) =>
          size > close.task && index < (close.draw?.beacon ?? 0)
        if (made.maker.beacons.some(isCovered)) outcomes.add('waited')
      }
    }
    for (const kind of [
      'accepted',
      'flaky',
      'known',
      'sample',
      'audited',
      'suspected',
      'tried',
      'banned',
      'withdrawn',
      'referee',
      'shadow',
      'hidden seat',
      'waited',
    ])
      assert.ok(outcomes.has(kind), `no ${kind} in any of them`)
  })

  it('counts who sat, who was passed over, and who holds how many seats', async () => {
    const made = await makeLog(21, 30)
    const { statistics } = await audit(made)
    const seats = made.done.flatMap(({ close }) => close.seats)
    assert.equal(statistics.jobs.accepted + statistics.jobs.flaky + statistics.jobs.unresolved, 30)
    const counted = Object.values(statistics.volunteers)
    assert.equal(
      counted.reduce((sum, one) => sum + one.seats, 0),
      seats.length,
    )
    assert.ok(counted.some(one => one.passed > 0))
    assert.equal(
      counted.reduce((sum, one) => sum + one.skipped, 0),
      0,
    )
    const share = Object.values(statistics.operators).reduce((sum, one) => sum + one.perMille, 0)
    assert.ok(Math.abs(share - 1_000) < 20, `${share}`)
  })

  it('continues what was seen before', async () => {
    const made = await makeLog(22, 6)
    const seen = made.maker.notes.map(({ note }) => note)
    const { checks } = await audit(made, { seen })
    assert.equal(checks.find(check => check.name === 'consistency')?.state, 'ok')
  })

  it('does not hold the last documents against a log that grows', async () => {
    const made = await makeLog(23, 4)
    const last = made.entries.findLastIndex(entry => entry.kind === 'close')
    made.files.delete(`document/${made.entries[last]?.id}`)
    const { ok, checks } = await audit(made, { tail: 10 })
    assert.ok(ok)
    assert.equal(checks.find(check => check.name === 'book')?.state, 'unknown')
    assert.equal((await audit(made)).ok, false)
  })
})

describe('audit: dishonest logs', () => {
  for (const [what, { check, proof, says, needs = [], options, jobs = 9, ...tampering }] of Object.entries(
    dishonest,
  ))
    it(`sees who ${what}`, async () => {
      const found = await audit(await makeLogWith(needs, 33, jobs, tampering, options))
      assert.ok(!found.ok)
      const faults = found.faults.filter(fault => fault.check === check)
      assert.ok(faults.length > 0, `${check} holds; found: ${detailsOf(found).slice(0, 5).join('\n')}`)
      if (says !== undefined) assert.match(faults.map(({ detail }) => detail).join('\n'), says)
      const proofs = found.faults.flatMap(fault => fault.proof ?? [])
      if (proof !== undefined)
        assert.ok(
          faults.some(fault => fault.proof?.kind === proof),
          `no proof: ${detailsOf(found).slice(0, 5).join('\n')}`,
        )
      for (const one of proofs) await confirmFault(decodeFault(encodeFault(one)))
    })

  it('sees a log that forked, and proves it', async () => {
    const [honest, other] = [await makeLog(41, 8), await makeLog(42, 6)]
    for (const { size, note } of other.maker.notes.filter(({ size }) => size > 2)) {
      if (size > honest.entries.length) continue
      const found = await audit(honest, { seen: [note] })
      const [fault] = found.faults.filter(({ check }) => check === 'consistency')
      assert.equal(fault?.proof?.kind, 'fork', `size ${size}`)
      if (fault?.proof) await confirmFault(decodeFault(encodeFault(fault.proof)))
    }
  })

  it('sees a log that became shorter', async () => {
    const [short, long] = [await makeLog(43, 3), await makeLog(43, 5)]
    const found = await audit(short, { seen: [long.note] })
    assert.match(detailsOf(found).join(), /leaves before and has/)
  })

  it('says what is missing of a log that is cut short or changed', async () => {
    const made = await makeLog(44, 1)
    const size = made.entries.length
    for (const [path, bytes] of made.files) {
      if (path === 'checkpoint') continue
      const files = new Map(made.files)
      const source = { fetch: async (name: string) => files.get(name) }
      files.delete(path)
      assert.ok(!(await auditLog(source, { key: made.key })).ok, `without ${path}`)
      files.set(path, Buffer.from(bytes).fill(1, 40, 41))
      assert.ok(!(await auditLog(source, { key: made.key })).ok, `with another ${path}`)
    }
    assert.ok(made.files.has(tilePath(0, 0, size)))
  })

  it('takes no checkpoint by another key', async () => {
    const made = await makeLog(45, 2)
    await assert.rejects(auditLog(made.source, { key: made.witness }), { code: 'bad-checkpoint' })
    await assert.rejects(auditLog(made.source, {}), { code: 'no-log-key' })
    await assert.rejects(auditLog({ fetch: async () => undefined }, {}), { code: 'no-log' })
  })
})
