import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rulesOf } from '../../src/consensus/classes.ts'
import { seedOf } from '../../src/consensus/draw.ts'
import { coordinatorConfig } from '../../src/coordinator/config.ts'
import { createLedger } from '../../src/coordinator/ledger.ts'
import { createOffers } from '../../src/coordinator/offers.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { createRoster } from '../../src/coordinator/roster.ts'
import { type JobEvent, type JobRecord, newJobRecord } from '../../src/coordinator/state.ts'
import { step } from '../../src/coordinator/step.ts'
import { createTrust } from '../../src/coordinator/trust.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { testIdentity, testJob } from '../helpers/raw-data.ts'

const { hashSeed: _, ...profile } = testJob().profile
const config = coordinatorConfig({ profiles: [profile] })
const peers = (kind: string, count: number) =>
  Array.from({ length: count }, (_, n) => testIdentity(`${kind} ${n}`).peerId)
const founders = peers('founder', 6)
const referees = peers('referee', 3)
const newcomers = peers('newcomer', 4)

interface SceneOptions {
  jobClass?: 'N' | 'K'
  shadows?: number
  networks?: Record<string, string>
  /** Operators that ran the job which this one repeats. */
  ranBy?: string[]
}

/** A drawn job, and everybody on the roster and here, on one platform. */
async function openScene({ jobClass = 'N', shadows = 0, networks = {}, ranBy }: SceneOptions = {}) {
  const store = createMemoryStore()
  const ledger = createLedger({ store })
  await ledger.load()
  const clock = createManualClock()
  const policy = { founders, referees, witnesses: [], quorum: 3 }
  const trust = createTrust({ ledger, records: openRecords(store), clock, policy, config })
  await trust.load()
  const all = [...founders, ...referees, ...newcomers]
  const machine = { backends: ['uml' as const], cpu: 'x86-64-v3' }
  for (const peer of all) trust.met(peer, { operator: peer, network: networks[peer] ?? '', ...machine })
  await trust.refresh()
  const roster = createRoster()
  const arrive = (peer: string, cpu = 'x86-64-v3') =>
    roster.introduce(peer, { slots: 1, backends: ['uml'], cpu, operator: peer })
  for (const peer of all) arrive(peer)
  const offers = createOffers({ trust, roster, clock, config })

  const made = newJobRecord(
    testJob(),
    clock.now(),
    rulesOf(jobClass, { extra: 0, spotReferees: 0, referees: 0 }),
    '00'.repeat(16),
    ranBy && {
      known: {
        of: sha256('another'),
        answer: sha256('answer'),
        trial: false,
        without: ranBy,
        platform: 'uml x86-64-v3',
      },
    },
  )
  // A seed with no hidden seats, so that the numbers below are those of the class.
  const seeds = Array.from({ length: 50 }, (_, n) => seedOf(sha256(`beacon ${n}`), made.id))
  const drawn = {
    task: 0,
    roster: trust.roster()?.index ?? assert.fail(),
    beacon: 2,
    platform: 'uml x86-64-v3',
    referees: 3,
    shadows,
    passed: [],
  }
  const draws = seeds.map(
    seed => step(made, { type: 'drawn', draw: { ...drawn, seed } }, clock.now(), config).job,
  )
  let record: JobRecord = draws.find(({ rules }) => rules.seats === rules.quorum) ?? assert.fail()

  const scene = {
    trust,
    clock,
    arrive,
    leave: (peer: string) => roster.disconnected(peer, clock.now()),
    record: () => record,
    /** Who may take a seat now, in the order of their ranks. */
    turns: (role?: string) =>
      all
        .map(peer => offers.seatFor(record, peer))
        .flatMap(seat => (seat && (role === undefined || seat.role === role) ? [seat.volunteer] : [])),
    seatFor: (peer: string) => offers.seatFor(record, peer),
    absent: () => offers.absent(record),
    exhausted: () => offers.exhausted(record),
    apply(event: JobEvent) {
      record = step(record, event, clock.now(), config).job
    },
    pass(...volunteers: string[]) {
      scene.apply({ type: 'passed-over', volunteers })
    },
    take(peer: string) {
      const seat = offers.seatFor(record, peer) ?? assert.fail('it is not its turn')
      const lease = sha256(`${peer} ${record.seats.length}`).slice(0, 32)
      scene.apply({ type: 'lease-granted', lease, deadline: clock.now() + 600_000, seat })
      return lease
    },
    ban(volunteer: string) {
      trust.book.apply({ type: 'banned', volunteer, why: 'ring' }, 20_000)
    },
  }
  return scene
}

const without = (all: readonly string[], some: readonly string[]) => all.filter(one => !some.includes(one))

describe('offers', () => {
  it('gives a turn to as many as are wanted, founders only, and to the same ones each time', async () => {
    const { turns, seatFor, record } = await openScene()
    const first = turns()
    assert.equal(first.length, record().wanted)
    assert.equal(first.length, 3)
    assert.ok(first.every(peer => founders.includes(peer)))
    assert.deepEqual(turns(), first)
    const [peer = ''] = first
    assert.deepEqual(seatFor(peer), {
      volunteer: peer,
      role: 'seat',
      operator: peer,
      weight: 32_000,
      platform: 'uml x86-64-v3',
    })
  })

  it('gives nobody a turn who is not here or cannot do it', async () => {
    const { turns, seatFor, leave, arrive } = await openScene()
    const [gone = '', other = ''] = turns()
    leave(gone)
    assert.equal(seatFor(gone), undefined)
    assert.equal(turns().includes(other), true)
    arrive(gone)
    assert.notEqual(seatFor(gone), undefined)
    assert.equal(seatFor(testIdentity('stranger').peerId), undefined)
  })

  it('passes over whoever is not here at once, and whoever lets its turn wait after a while', async () => {
    const { turns, absent, leave, clock, pass } = await openScene()
    const [gone = '', ...waiting] = turns()
    leave(gone)
    assert.deepEqual(absent(), [gone])
    await clock.advance(config.passMs - 1)
    assert.deepEqual(absent(), [gone])
    await clock.advance(1)
    assert.deepEqual(absent().sort(), [gone, ...waiting].sort())
    pass(...absent())
    const next = turns()
    assert.equal(next.length, 3)
    assert.deepEqual(without(next, [gone, ...waiting]), next)
    assert.deepEqual(absent(), [], 'their time begins now')
    await clock.advance(config.passMs)
    assert.deepEqual(absent().sort(), next.sort())
  })

  it('lets those come back that were passed over, when all had their turn, the best first', async () => {
    const { turns, pass, absent, take } = await openScene()
    const first = turns()
    pass(...first)
    const second = turns()
    pass(...second)
    assert.deepEqual(turns(), first, 'all six were passed over')
    assert.deepEqual(absent(), [], 'nobody is passed over twice')
    for (const peer of first) take(peer)
    assert.deepEqual(turns(), [])
  })

  it('lets those come back that are here, though the best of those passed over stay away', async () => {
    const { turns, pass, leave, absent } = await openScene()
    pass(...turns())
    pass(...turns())
    const away = turns()
    for (const gone of away) leave(gone)
    assert.deepEqual(absent(), [])
    assert.deepEqual(turns().sort(), without(founders, away).sort())
  })

  it('is exhausted only when nobody on the roster could take what is open, here or not', async () => {
    const { turns, take, ban, leave, exhausted } = await openScene()
    const [first = ''] = turns()
    take(first)
    for (const peer of founders) leave(peer)
    assert.equal(exhausted(), false, 'they may come back')
    const others = without(founders, [first])
    for (const peer of others.slice(1)) ban(peer)
    assert.equal(exhausted(), false)
    ban(others[0] ?? '')
    assert.equal(exhausted(), true)
  })

  it('prefers those that had no turn to those that come back', async () => {
    const { turns, pass } = await openScene()
    const first = turns()
    const [second = ''] = without(founders, first)
    pass(...first)
    pass(...without(turns(), [second]))
    assert.equal(turns().length, 3)
    assert.ok(turns().includes(second))
  })

  it('calls the next one when a seat is given back, and not the one that gave it back before others', async () => {
    const { turns, take, apply, pass } = await openScene()
    const [a = '', b = '', c = ''] = turns()
    const lease = take(a)
    assert.deepEqual(turns().sort(), [b, c].sort())
    take(b)
    take(c)
    assert.deepEqual(turns(), [])
    apply({ type: 'lease-released', lease, end: 'shutdown' })
    assert.equal(turns().length, 1)
    pass(a)
    assert.equal(turns().includes(a), false)
  })

  it('passes over whoever is on another platform than the job was drawn for', async () => {
    const { turns, absent, arrive } = await openScene()
    const [, other = ''] = turns()
    arrive(other, 'x86-64-v4')
    assert.deepEqual(absent(), [other])
  })

  it('passes over a referee that the policy names no more, at once, and does not wait for it', async () => {
    const { trust, record, turns, absent, pass, exhausted, apply, take } = await openScene()
    for (const peer of turns()) take(peer)
    const [seat] = record().seats
    const ballot = { sections: { intake: sha256('files'), build: sha256('x') }, tests: {} }
    for (const { lease, volunteer } of record().seats) {
      const own = volunteer === seat?.volunteer ? { ...ballot.sections, build: sha256('y') } : ballot.sections
      const rawData = { sha256: sha256(lease), size: 1 }
      const submission = { attestation: sha256(lease), rawData, accusing: false }
      apply({ type: 'raw-data-accepted', lease, submission, ballot: { ...ballot, sections: own } })
    }
    assert.equal(record().wantedRole, 'referee')
    const [gone = '', other = ''] = turns()
    const left = without(referees, [gone])
    trust.book.keepReferees(left)
    assert.deepEqual([turns(), absent()], [[other], [gone]])
    pass(gone)
    assert.deepEqual([turns().sort(), absent()], [left.sort(), []])
    trust.book.keepReferees([])
    assert.deepEqual(turns(), [])
    assert.equal(exhausted(), true)
  })

  it('gives no turn to whoever was banned after the draw; the next one has it', async () => {
    const { turns, ban, absent } = await openScene()
    const [liar = '', ...others] = turns()
    ban(liar)
    const now = turns()
    assert.equal(now.length, 3)
    assert.equal(now.includes(liar), false)
    assert.deepEqual(without(others, now), [])
    assert.deepEqual(absent(), [], 'a banned one is not waited for')
  })

  it('seats none of one network together, passed over or not', async () => {
    const networks = Object.fromEntries(founders.slice(0, 4).map(peer => [peer, '192.0.2.0/24']))
    const { turns, pass, take } = await openScene({ networks })
    const first = turns()
    assert.equal(first.length, 3)
    assert.equal(first.filter(peer => networks[peer] !== undefined).length, 1)
    const [member = ''] = first.filter(peer => networks[peer] !== undefined)
    take(member)
    pass(...without(first, [member]))
    assert.equal(
      turns().some(peer => networks[peer] !== undefined),
      false,
    )
  })

  it('gives a shadow seat to newcomers only, beside the others', async () => {
    const { turns, take, absent, leave } = await openScene({ shadows: 1 })
    const [shadow = '', ...more] = turns('shadow')
    assert.deepEqual(more, [])
    assert.ok(newcomers.includes(shadow))
    assert.equal(turns('seat').length, 3)
    leave(shadow)
    assert.deepEqual(absent(), [shadow])
    const [next = ''] = turns('seat')
    take(next)
    assert.equal(turns('seat').length, 2)
  })

  it('lets newcomers run a job whose answer is known, and referees never', async () => {
    const seated = new Set<string>()
    const { turns, pass } = await openScene({ jobClass: 'K' })
    for (let n = 0; n < founders.length + newcomers.length; n += 1) {
      const now = turns()
      assert.equal(now.length, 1)
      for (const peer of now) seated.add(peer)
      pass(...now)
    }
    assert.deepEqual([...seated].sort(), [...founders, ...newcomers].sort())
  })

  it('lets nobody run a job whose answer is known whose operator ran it before', async () => {
    const { turns, pass, seatFor } = await openScene({ jobClass: 'K', ranBy: founders.slice(0, 4) })
    const seated = new Set<string>()
    for (let n = 0; n < 12; n += 1) {
      for (const peer of turns()) seated.add(peer)
      pass(...turns())
    }
    assert.deepEqual([...seated].sort(), [...founders.slice(4), ...newcomers].sort())
    for (const peer of founders.slice(0, 4)) assert.equal(seatFor(peer), undefined)
  })

  it('gives no turn before the draw', async () => {
    const { clock, trust } = await openScene()
    const roster = createRoster()
    const offers = createOffers({ trust, roster, clock, config })
    for (const peer of founders)
      roster.introduce(peer, { slots: 1, backends: ['uml'], cpu: 'x', operator: peer })
    const rules = rulesOf('N', { extra: 0, spotReferees: 0, referees: 0 })
    const undrawn = newJobRecord(testJob(), clock.now(), rules, '00'.repeat(16))
    assert.deepEqual(offers.absent(undrawn), [])
    for (const peer of founders) assert.equal(offers.seatFor(undrawn, peer), undefined)
  })
})
