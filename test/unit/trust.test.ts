import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CloseDocument, RosterDocument } from '../../src/attest/documents.ts'
import type { Book } from '../../src/consensus/book.ts'
import { rulesOf } from '../../src/consensus/classes.ts'
import { seedOf } from '../../src/consensus/draw.ts'
import { coordinatorConfig } from '../../src/coordinator/config.ts'
import { createLedger } from '../../src/coordinator/ledger.ts'
import { documentsOf } from '../../src/coordinator/log-documents.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { type JobRecord, newJobRecord, type Seat } from '../../src/coordinator/state.ts'
import { createTrust } from '../../src/coordinator/trust.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { told } from '../helpers/expect.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { testIdentity, testJob } from '../helpers/raw-data.ts'

const { hashSeed: _, ...profile } = testJob().profile
const config = coordinatorConfig({ profiles: [profile] })
const day = 86_400_000
const peer = (name: string) => testIdentity(name).peerId
const founders = ['a', 'b', 'c', 'd', 'e', 'f'].map(peer)
const referees = ['r1', 'r2'].map(peer)
const policy = { founders, referees, witnesses: [], quorum: 3 }

async function openWorld(
  store = createMemoryStore(),
  clock = createManualClock(),
  change: Partial<typeof policy> = {},
) {
  const ledger = createLedger({ store })
  await ledger.load()
  const records = openRecords(store)
  const trust = createTrust({ ledger, records, clock, config, policy: { ...policy, ...change } })
  await trust.load()
  const logged = async <S extends string>(kind: 'roster' | 'close' | 'policy', schema: S) => {
    const found = []
    for await (const one of documentsOf(ledger, records, [kind])) {
      assert.equal(one.document.schema, schema)
      found.push(one)
    }
    return found
  }
  return {
    store,
    clock,
    ledger,
    records,
    trust,
    rosters: () => logged('roster', 'pyti.roster/1'),
    policies: () => logged('policy', 'pyti.policy/1'),
    /** @param said volunteer -> the letter that is its answer */
    async close(name: string, said: Record<string, string>) {
      const { writes, entries } = trust.close(closedJob(name, said), 0)
      const index = await ledger.commit(writes, entries)
      for await (const one of documentsOf(ledger, records, ['close']))
        if (one.index === index && one.document.schema === 'pyti.close/1') return one.document
      return assert.fail('its end was not logged')
    },
    async meet(...names: string[]) {
      for (const name of names)
        trust.met(peer(name), { operator: peer(name), network: '', backends: ['uml'], cpu: 'x86-64-v3' })
      await trust.refresh()
    },
    restart: (change: Partial<typeof policy> = {}) => openWorld(store, clock, change),
  }
}

type World = Awaited<ReturnType<typeof openWorld>>

/** A job whose report was just signed. */
function closedJob(name: string, said: Record<string, string>): JobRecord {
  const job = { ...testJob(), nonce: sha256(name).slice(0, 32) }
  const isReferee = (who: string) => who.startsWith('r')
  const spotReferees = Object.keys(said).some(isReferee) ? 1 : 0
  const seats = Object.keys(said).filter(who => !isReferee(who)).length
  const rules = { ...rulesOf('N', { extra: 0, spotReferees, referees: 2 }), referees: 2, seats }
  const made = newJobRecord(job, 0, rules, '00'.repeat(16))
  const lease = (who: string) => sha256(`${name} ${who}`).slice(0, 32)
  return {
    ...made,
    phase: 'agreed',
    report: sha256(`report ${name}`),
    draw: {
      task: 0,
      roster: 0,
      beacon: 0,
      seed: seedOf('00', made.id),
      platform: 'uml x86-64-v3',
      referees: 2,
      shadows: 0,
      passed: [],
    },
    seats: Object.keys(said).map(
      (who, at): Seat => ({
        state: 'submitted',
        number: at + 1,
        volunteer: peer(who),
        lease: lease(who),
        startedAt: 0,
        endedAt: 1,
        deadline: 2,
        role: isReferee(who) ? 'referee' : 'seat',
        operator: peer(who),
        weight: 32_000,
        submission: {
          attestation: sha256(`${name} ${who}`),
          rawData: { sha256: sha256(name), size: 1 },
          accusing: false,
        },
      }),
    ),
    ballots: Object.fromEntries(
      Object.entries(said).map(([who, answer]) => [
        lease(who),
        { sections: { intake: sha256('files'), build: sha256(answer) }, tests: {} },
      ]),
    ),
  }
}

const withdrawnBy = ({ changes }: CloseDocument) =>
  changes.flatMap(change => (change.type === 'withdrawn' ? [change.job] : []))

/** Has it lie alone until it is banned. @returns the end of the last job */
async function strikeOut(world: World, liar: string): Promise<CloseDocument> {
  for (let n = 0; n < 20; n += 1) {
    const said = { a: 'x', b: 'x', c: 'x', [liar]: `lie ${n}`, r1: 'x', r2: 'x' }
    const closed = await world.close(`${liar} ${n}`, said)
    if (world.trust.book.member(peer(liar))?.banned !== undefined) return closed
  }
  return assert.fail(`${liar} is not banned`)
}

const stateOf = (book: Book) => ({
  members: [...book.members()],
  live: book.restingOn([...book.members()].map(({ volunteer }) => volunteer)),
  left: book.graduationsLeft(20_777),
  alone: founders.flatMap(a => founders.map(b => book.aloneTogether([a, b]))),
})
const all = ['a', 'b', 'c', 'd', 'e', 'f', 'r1', 'r2']
const typesOf = ({ changes }: CloseDocument | RosterDocument) => changes.map(({ type }) => type)

describe('trust', () => {
  it('has the same book after a restart, and goes on alike', async () => {
    const world = await openWorld()
    await world.meet(...all, 'newcomer')
    await world.close('good', { a: 'x', d: 'x', e: 'x' })
    await world.clock.advance(3 * day)
    await strikeOut(world, 'd')
    await world.meet('late')
    const again = await world.restart()
    assert.deepEqual(stateOf(again.trust.book), stateOf(world.trust.book))
    assert.deepEqual(again.trust.roster(), world.trust.roster())
    assert.equal(again.trust.book.member(peer('d'))?.banned, 'strikes')
    const next = { a: 'x', b: 'x', c: 'x', f: 'z', r1: 'x', r2: 'x' }
    const expected = world.trust.close(closedJob('next', next), 0)
    const got = again.trust.close(closedJob('next', next), 0)
    assert.deepEqual(got.entries, expected.entries)
  })

  it('remembers over a restart who stood alone together', async () => {
    const unseen = { a: 'x', b: 'x', c: 'x', d: 'y', e: 'y', r1: 'x', r2: 'x' }
    const first = await openWorld()
    await first.meet(...all)
    const { changes } = await first.close('once', unseen)
    assert.deepEqual(
      changes.flatMap(change => (change.type === 'alike' ? [change.pair] : [])),
      [[peer('d'), peer('e')].sort()],
    )
    const again = await first.restart()
    const pair = [peer('d'), peer('e')].sort()
    assert.equal(again.trust.book.aloneTogether([pair[0] ?? '', pair[1] ?? '']), 1)
  })

  it('logs the policy once, and again when it changes', async () => {
    const first = await openWorld()
    assert.equal((await first.policies()).length, 1)
    const same = await first.restart()
    assert.equal((await same.policies()).length, 1)
    const other = await same.restart({ quorum: 4 })
    assert.equal((await other.policies()).length, 2)
    assert.equal((await (await other.restart({ quorum: 4 })).policies()).length, 2)
    assert.equal((await (await other.restart()).policies()).length, 3, 'back to what it was is a change too')
  })

  it('logs a roster when somebody came, and none when nobody did', async () => {
    const world = await openWorld()
    await world.meet('a')
    assert.equal((await world.rosters()).length, 1)
    await world.meet('a')
    await world.clock.advance(config.rosterMs)
    await world.meet()
    assert.equal((await world.rosters()).length, 1)
    await world.meet('b', 'c')
    assert.equal((await world.rosters()).length, 2)
    const { document } = world.trust.roster() ?? assert.fail()
    assert.deepEqual(typesOf(document), ['joined', 'joined'])
    assert.deepEqual(
      document.members.map(({ volunteer }) => volunteer),
      ['a', 'b', 'c'].map(peer).sort(),
    )
  })

  it('logs what jobs have changed with the first roster that is due, not at once', async () => {
    const world = await openWorld()
    await world.meet(...all)
    await strikeOut(world, 'd')
    await world.meet()
    assert.equal((await world.rosters()).length, 1)
    await world.clock.advance(config.rosterMs)
    await world.meet()
    assert.equal((await world.rosters()).length, 2)
    const members = world.trust.roster()?.document.members.map(({ volunteer }) => volunteer)
    assert.equal(members?.includes(peer('d')), false, 'the banned are on no roster')
    assert.equal(members?.length, all.length - 1)
  })

  it('keeps rosters that draws were made from', async () => {
    const world = await openWorld()
    await world.meet('a')
    const { index, document } = world.trust.roster() ?? assert.fail()
    await world.meet('b')
    assert.deepEqual(world.trust.rosterAt(index), document)
    const again = await world.restart()
    assert.deepEqual(again.trust.rosterAt(index), document)
    assert.throws(() => again.trust.rosterAt(index + 1_000), told('unknown-roster'))
  })

  it('vouches for founders and referees as the policy says, and for nobody else', async () => {
    const world = await openWorld()
    await world.meet('a', 'r1', 'newcomer')
    const members = new Map(world.trust.roster()?.document.members.map(one => [one.volunteer, one]))
    const told = ['a', 'r1', 'newcomer'].map(name => {
      const one = members.get(peer(name)) ?? assert.fail(name)
      return [one.established, one.referee, one.weight]
    })
    assert.deepEqual(told, [
      [true, false, 32_000],
      [true, true, 32_000],
      [false, false, 4_000],
    ])
  })

  it('weighs only where somebody vouches for founders', async () => {
    assert.equal((await openWorld()).trust.weighed, true)
    assert.equal((await openWorld(createMemoryStore(), undefined, { founders: [] })).trust.weighed, false)
  })

  it('asks for a withdrawal and a new job for each report that falls', async () => {
    const world = await openWorld()
    await world.meet(...all)
    const fell = await world.close('wrong', { c: 'y', d: 'y', e: 'y' })
    await world.close('right', { a: 'x', b: 'x', d: 'x' })
    assert.deepEqual(withdrawnBy(await strikeOut(world, 'd')), [])
    const last = await strikeOut(world, 'e')
    assert.deepEqual(withdrawnBy(last), [fell.job])
    const key = `${fell.job}/${last.job}`
    assert.deepEqual(await world.records.rechecks.get(key), { because: last.job, withdraw: true })
  })

  it('asks for a job anew for each cause there is, so that none is lost', async () => {
    const world = await openWorld()
    await world.meet(...all)
    const { job } = await world.close('wrong', { c: 'y', d: 'y', e: 'y' })
    for (const liar of ['d', 'e']) await strikeOut(world, liar)
    const keys = []
    for await (const [key] of world.records.rechecks.entries()) keys.push(key)
    assert.ok(keys.length > 0)
    for (const key of keys) assert.match(key, /^[0-9a-f]{64}\/[0-9a-f]{64}$/)
    assert.ok(keys.some(key => key.startsWith(job)))
  })

  it('logs a roster when standing has faded, though nobody came and nothing happened', async () => {
    const world = await openWorld()
    await world.meet(...all)
    await world.clock.advance(100 * day)
    await world.meet()
    assert.equal((await world.rosters()).length, 2)
    const members = world.trust.roster()?.document.members ?? []
    assert.equal(members.length, all.length)
    assert.ok(members.every(member => !member.established))
  })

  it('logs no roster because of a restart', async () => {
    const world = await openWorld()
    await world.meet(...all)
    const again = await world.restart()
    await again.meet()
    await again.meet(...all)
    assert.equal((await again.rosters()).length, 1)
  })

  it('logs a roster when the machine of a volunteer is another one', async () => {
    const world = await openWorld()
    await world.meet(...all)
    world.trust.met(peer('a'), { operator: peer('a'), network: '', backends: ['tcg'], cpu: '' })
    await world.clock.advance(config.rosterMs)
    await world.meet()
    const member = world.trust.roster()?.document.members.find(one => one.volunteer === peer('a'))
    assert.deepEqual([member?.backends, member?.cpu], [['tcg'], ''])
  })

  it('vouches for those that the policy names after they came, and no second time', async () => {
    const world = await openWorld(createMemoryStore(), undefined, { founders: founders.slice(1) })
    await world.meet('a', 'b')
    const before = world.trust.roster()?.document.members.find(one => one.volunteer === peer('a'))
    assert.equal(before?.established, false)
    const again = await world.restart({})
    await again.meet()
    const { document } = again.trust.roster() ?? assert.fail()
    assert.deepEqual(document.changes, [{ type: 'vouched', volunteer: peer('a'), as: 'founder' }])
    const member = document.members.find(one => one.volunteer === peer('a'))
    assert.deepEqual([member?.established, member?.weight], [true, 32_000])
    const third = await again.restart({})
    await third.meet()
    assert.equal((await third.rosters()).length, 2)
    assert.deepEqual(stateOf(third.trust.book), stateOf(again.trust.book))
  })

  it('dismisses referees that a new policy names no more, from its leaf on and after every restart', async () => {
    const world = await openWorld()
    await world.meet(...all)
    const before = world.trust.roster()?.document.members.find(one => one.volunteer === peer('r2'))
    assert.equal(before?.referee, true)
    const next = await world.restart({ referees: referees.slice(0, 1) })
    assert.equal(next.trust.book.isReferee(peer('r2')), false, 'before any roster says so')
    await next.meet()
    const { document } = next.trust.roster() ?? assert.fail()
    assert.deepEqual(document.changes, [], 'it follows from the policy')
    const member = document.members.find(one => one.volunteer === peer('r2'))
    assert.deepEqual([member?.referee, member?.established], [false, false])
    const third = await next.restart({ referees: referees.slice(0, 1) })
    assert.deepEqual(stateOf(third.trust.book), stateOf(next.trust.book))
    const back = await third.restart()
    assert.equal(back.trust.book.isReferee(peer('r2')), false, 'with the next roster')
    await back.meet()
    assert.equal(back.trust.book.isReferee(peer('r2')), true)
  })

  it('ties nobody to a member that did not ask for it by calling itself the same', async () => {
    const world = await openWorld()
    await world.meet(...all)
    const machine = { backends: ['uml' as const], cpu: 'x86-64-v3', network: '' }
    world.trust.met(peer('evil'), { ...machine, operator: peer('d') })
    world.trust.met(peer('other'), { ...machine, operator: peer('nobody yet') })
    world.trust.met(peer('friend'), { ...machine, operator: 'a-name' })
    world.trust.met(peer('brother'), { ...machine, operator: 'a-name' })
    await world.trust.refresh()
    const operatorOf = (name: string) => world.trust.book.member(peer(name))?.operator
    assert.equal(operatorOf('evil'), peer('evil'))
    assert.equal(operatorOf('other'), peer('other'))
    assert.deepEqual([operatorOf('friend'), operatorOf('brother')], ['a-name', 'a-name'])
    await strikeOut(world, 'evil')
    assert.equal(world.trust.book.member(peer('d'))?.banned, undefined)
  })

  it('shows task and raw data with the end of a job, and not before', async () => {
    const world = await openWorld()
    await world.meet('a', 'b', 'c')
    const record = closedJob('job', { a: 'x', b: 'x', c: 'x' })
    assert.equal(await world.records.outbox.get(record.task), undefined)
    await world.close('job', { a: 'x', b: 'x', c: 'x' })
    for (const id of [record.task, ...['a', 'b', 'c'].map(who => sha256(`job ${who}`))])
      assert.deepEqual(await world.records.outbox.get(id), {})
  })
})
