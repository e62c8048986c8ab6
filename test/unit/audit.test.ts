import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Audit, type AuditOptions, auditLog } from '../../src/attest/audit/audit.ts'
import type { AuditCheckName } from '../../src/attest/audit/audit-checks.ts'
import { confirmFault, decodeFault, encodeFault, type Fault } from '../../src/attest/faults.ts'
import { tilePath } from '../../src/attest/log/tiles.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { makeLog } from '../helpers/log-maker.ts'
import type { MadeLog, MakerOptions, Tampering } from '../helpers/log-parts.ts'
import { answerFrom, otherReportKey, ring } from '../helpers/log-people.ts'

const audit = (made: MadeLog, options: AuditOptions = {}): Promise<Audit> =>
  auditLog(made.source, { key: made.key, witnesses: [made.witness], ...options })

const detailsOf = ({ faults }: Audit) =>
  faults.map(({ check, leaf, detail }) => `${check} ${leaf}: ${detail}`)

describe('audit: honest logs', () => {
  it('finds nothing, whatever happens in them', async () => {
    const outcomes = new Set<string>()
    for (const [seed, lies, sleeps] of [
      [11, 1_000, 0],
      [5, 1_000, 12],
      [14, 0, 0],
    ] as const) {
      const made = await makeLog(seed, 40, {}, { lies, sleeps, wobbles: 100 })
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
      }
    }
    for (const kind of ['accepted', 'flaky', 'banned', 'withdrawn', 'referee', 'shadow', 'hidden seat'])
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

interface Case extends Tampering {
  check: AuditCheckName
  proof?: Fault['kind']
  options?: Partial<MakerOptions>
  /** How many jobs it takes. */
  jobs?: number
}

/** What a coordinator can do, and the check that must show it. */
const cases: Record<string, Case> = {
  'leaves a volunteer out of a report': {
    check: 'completeness',
    proof: 'dropped-dissent',
    voters: (voters, job) => (job === 5 ? voters.slice(0, -1) : voters),
  },
  'logs an answer and hides it for ever': {
    check: 'completeness',
    voters: (voters, job) => (job === 5 ? voters.slice(1) : voters),
    close(close, job) {
      const hidden = close.seats.findIndex(seat => seat.attestation !== undefined)
      return job === 5 ? { ...close, seats: close.seats.filter((_, at) => at !== hidden) } : close
    },
    after(maker, { answers }, job) {
      if (job === 5) maker.files.delete(`document/${answers[0]?.attestation}`)
    },
  },
  'chooses the seed': {
    check: 'draws',
    proof: 'steered-draw',
    draw(draw, { job }) {
      if (job === 5) draw.seed = sha256('mine')
    },
  },
  'draws again from a second beacon': {
    check: 'draws',
    proof: 'steered-draw',
    async draw(draw, { maker, job, id }) {
      if (job === 5) Object.assign(draw, await maker.logBeacon(draw.roster, id))
    },
  },
  'draws from an old roster': {
    check: 'draws',
    proof: 'steered-draw',
    before(maker, job) {
      const old = maker.roster
      if (job !== 5) return
      maker.refresh()
      maker.roster = old
    },
  },
  'names a leaf as roster that is none': {
    check: 'draws',
    proof: 'steered-draw',
    close: (close, job) =>
      job === 5 && close.draw ? { ...close, draw: { ...close.draw, roster: close.task } } : close,
  },
  'names no draw at all': {
    check: 'draws',
    proof: 'steered-draw',
    close({ draw, ...close }, job) {
      return job === 5 || !draw ? close : { ...close, draw }
    },
  },
  'gives away no hidden seats': {
    jobs: 20,
    check: 'draws',
    proof: 'steered-draw',
    rules: rules => ({ ...rules, seats: rules.quorum, maxSeats: rules.quorum + 4 }),
  },
  'never lets one volunteer sit': {
    jobs: 20,
    check: 'seats',
    proof: 'steered-draw',
    options: { lies: 0 },
    candidates: order => order.filter(one => one.operator !== 'operator-5'),
    after(maker, _done, job) {
      if (job === 19) maker.refresh()
    },
  },
  'seats newcomers': {
    check: 'seats',
    proof: 'steered-draw',
    candidates: order => order.map(one => (one.referee ? one : { ...one, established: true })),
  },
  'gives a friend more weight': {
    check: 'seats',
    proof: 'steered-draw',
    close: (close, job) =>
      job === 5
        ? {
            ...close,
            seats: close.seats.map((seat, at) => (at === 0 ? { ...seat, weight: 1_000_000 } : seat)),
          }
        : close,
  },
  'numbers two reports alike': {
    jobs: 20,
    check: 'sequence',
    proof: 'double-sequence',
    report(statement) {
      const { supersedes, ...predicate } = statement.predicate
      return supersedes === undefined ? statement : { ...statement, predicate: { ...predicate, sequence: 1 } }
    },
  },
  'leaves numbers out': {
    check: 'sequence',
    report: (statement, job) =>
      job === 5 ? { ...statement, predicate: { ...statement.predicate, sequence: 9 } } : statement,
  },
  'signs with another key': {
    check: 'reports',
    report: (statement, job) =>
      job === 5
        ? {
            ...statement,
            predicate: {
              ...statement.predicate,
              verifier: {
                ...statement.predicate.verifier,
                id: `urn:pyti:coordinator:${otherReportKey.peerId}`,
              },
            },
          }
        : statement,
  },
  'says in the report that a friend is a referee': {
    check: 'reports',
    report(statement, job) {
      const { inputAttestations } = statement.predicate
      if (job !== 5) return statement
      const changed = inputAttestations.map(one => ({
        ...one,
        annotations: { ...one.annotations, role: 'referee' as const },
      }))
      return { ...statement, predicate: { ...statement.predicate, inputAttestations: changed } }
    },
  },
  'forgives a strike': {
    jobs: 20,
    check: 'book',
    options: { lies: 1_000 },
    close: close => ({
      ...close,
      changes: close.changes.map(change =>
        change.type === 'answered' ? { ...change, result: 'checked' as const } : change,
      ),
    }),
  },
  'spares a ring': {
    jobs: 20,
    check: 'book',
    options: { lies: 1_000 },
    close: close => ({ ...close, changes: close.changes.filter(change => change.type !== 'banned') }),
  },
  'lets the pool grow too fast': {
    check: 'rosters',
    roster: (roster, number) =>
      number === 2
        ? {
            ...roster,
            changes: roster.members
              .filter(member => !member.established && !member.referee)
              .map(({ volunteer }) => ({ type: 'graduated' as const, volunteer })),
          }
        : roster,
  },
  'leaves a volunteer out of the roster': {
    check: 'rosters',
    roster: (roster, number) => (number === 2 ? { ...roster, members: roster.members.slice(1) } : roster),
  },
  'vouches for a stranger': {
    check: 'rosters',
    roster: (roster, number) =>
      number === 0
        ? {
            ...roster,
            changes: roster.changes.map(change =>
              change.type === 'joined' ? { ...change, vouched: 'founder' as const } : change,
            ),
          }
        : roster,
  },
  'accepts another answer': {
    check: 'decisions',
    close: (close, job) => (job === 5 ? { ...close, accepted: sha256('other') } : close),
  },
  'accepts one answer of a job that does not repeat': {
    jobs: 20,
    check: 'decisions',
    options: { wobbles: 1_000 },
    close({ ...close }) {
      const [seat] = close.seats
      return close.outcome === 'flaky' && seat?.answer
        ? { ...close, outcome: 'accepted', accepted: seat.answer }
        : close
    },
  },
  'ends a job twice': {
    check: 'decisions',
    after(maker, { close }, job) {
      if (job === 5) maker.appendDocument('close', { ...close, reason: 'again' })
    },
  },
  'withholds a job that has ended': {
    check: 'documents',
    after(maker, { close }, job) {
      if (job === 5) maker.files.delete(`document/${maker.entries[close.task]?.id}`)
    },
  },
  'shows another document': {
    check: 'documents',
    after(maker, { close }, job) {
      if (job === 5) maker.files.set(`document/${maker.entries[close.task]?.id}`, Buffer.from('{}'))
    },
  },
  'takes an answer after the end': {
    check: 'completeness',
    async after(maker, { task }, job) {
      if (job !== 5) return
      const { envelope } = await answerFrom(ring[0] ?? '', task.job, true)
      maker.appendRaw('raw', envelope, task.job)
      maker.showEnvelope(envelope)
    },
  },
  'withdraws a report without cause': {
    check: 'withdrawals',
    after(maker, { close }, job) {
      const { report } = close
      if (job === 5 && report)
        maker.appendDocument('withdrawal', {
          schema: 'pyti.withdrawal/1',
          job: close.job,
          report,
          because: close.job,
        })
    },
  },
  'swaps the answers of two volunteers': {
    check: 'raw-data',
    close(close, job) {
      const [one, other, ...rest] = close.seats
      if (job !== 5 || !one?.attestation || !other?.attestation) return close
      const swapped = [
        { ...one, attestation: other.attestation },
        { ...other, attestation: one.attestation },
      ]
      return { ...close, seats: [...swapped, ...rest] }
    },
  },
}

describe('audit: dishonest logs', () => {
  for (const [what, { check, proof, options, jobs = 9, ...tampering }] of Object.entries(cases))
    it(`sees who ${what}`, async () => {
      const found = await audit(await makeLog(33, jobs, tampering, options))
      assert.ok(!found.ok)
      const faults = found.faults.filter(fault => fault.check === check)
      assert.ok(faults.length > 0, `${check} holds; found: ${detailsOf(found).slice(0, 5).join('\n')}`)
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
