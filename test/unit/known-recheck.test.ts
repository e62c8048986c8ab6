import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CloseDocument, readDocument, type WithdrawalDocument } from '../../src/attest/documents.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { fileRequest, type House, openHouse, withHouse } from '../helpers/coordinator-house.ts'
import { createCrashingStore } from '../helpers/crashing-store.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { honestRawData, lyingRawData, type TestVolunteer, workOnce } from '../helpers/test-volunteer.ts'

const names = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${kind} ${n}`)
const peers = (kind: string, count: number) => names(kind, count).map(name => testIdentity(name).peerId)
const config = { founders: peers('founder', 8), referees: peers('referee', 5), knownPerMille: 0 }
const known = { ...config, knownPerMille: 1_000 }

async function arriveAll(house: House, founders = 8): Promise<TestVolunteer[]> {
  const all = [...names('founder', founders), ...names('referee', 5)].map(name => house.volunteer(name))
  for (const volunteer of all) await volunteer.hello()
  return all
}

async function record(house: House, job: string) {
  return (await openRecords(house.store).jobs.get(job)) ?? assert.fail(`no job ${job}`)
}

/** Makes the job and lets everybody ask for work until `done`. */
async function work(
  house: House,
  volunteers: readonly TestVolunteer[],
  done: () => Promise<boolean>,
  says: (volunteer: TestVolunteer) => typeof honestRawData = () => honestRawData,
): Promise<void> {
  for (let round = 0; round < 40; round += 1) {
    if (await done()) return
    await house.clock.advance(1_000)
    for (const volunteer of volunteers) await workOnce(volunteer, says(volunteer))
  }
  assert.fail('it never ended')
}

const isAgreed = (house: House, job: string) => async () =>
  ['agreed', 'reported'].includes((await record(house, job)).phase)
const isReported = (house: House, job: string) => async () => (await record(house, job)).phase === 'reported'

async function documents(house: House) {
  const found = []
  for await (const [, document] of openRecords(house.store).documents.entries())
    found.push(readDocument(canonicalBytes(document)))
  return found
}

async function closeOf(house: House, job: string): Promise<CloseDocument> {
  for (const one of await documents(house)) if (one.schema === 'pyti.close/1' && one.job === job) return one
  return assert.fail(`job ${job} has not closed`)
}

describe('jobs whose answer is known', () => {
  it('strikes whoever gives another answer than the one that was agreed', () =>
    withHouse({ config: known }, async house => {
      const volunteers = await arriveAll(house)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await work(house, volunteers, isAgreed(house, job))
      await house.clock.advance(2_000)
      const { repeatedBy = '' } = await record(house, job)
      const isChecked = async () => (await record(house, repeatedBy)).phase === 'checked'
      await work(house, volunteers, isChecked, () => lyingRawData)
      const close = await closeOf(house, repeatedBy)
      const [seat] = close.seats
      assert.equal(close.outcome, 'known')
      assert.deepEqual(close.changes, [{ type: 'answered', volunteer: seat?.volunteer, result: 'refuted' }])
      assert.equal(close.report, undefined)
      assert.notEqual(seat?.answer, close.accepted)
    }))

  it('cannot be told from others by whoever gets one: only nonce and hash seed may differ', () =>
    withHouse({ config: known }, async house => {
      const volunteers = await arriveAll(house)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await work(house, volunteers, isAgreed(house, job))
      await house.clock.advance(2_000)
      const original = await record(house, job)
      const repeated = await record(house, original.repeatedBy ?? '')
      assert.deepEqual({ ...repeated.job, nonce: '' }, { ...original.job, nonce: '' })
      assert.notEqual(repeated.job.nonce, original.job.nonce)
      assert.notEqual(repeated.salt, original.salt)
      assert.deepEqual((await house.coordinator.status(repeated.id))?.seats, [])
    }))

  it('are never made of a job whose answer is known, and give no report', () =>
    withHouse({ config: known }, async house => {
      const volunteers = await arriveAll(house)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await work(house, volunteers, isReported(house, job))
      const repeated = await record(house, (await record(house, job)).repeatedBy ?? '')
      assert.deepEqual(
        [repeated.phase, repeated.repeatedBy, repeated.report],
        ['checked', undefined, undefined],
      )
      assert.equal((await house.coordinator.reports({ filename: 'sample-1.0.tar.gz' })).length, 1)
    }))
})

describe('jobs whose answer is known: who runs them', () => {
  it('go to nobody who ran the job, and to no other machine of who did', () =>
    withHouse({ config: { ...known, founders: peers('founder', 10) } }, async house => {
      const volunteers = await arriveAll(house, 10)
      for (let n = 0; n < 5; n += 1) {
        const job = await house.coordinator.submit(fileRequest(`sample-${n}`))
        await work(house, volunteers, isReported(house, job))
        const original = await record(house, job)
        const repeated = await record(house, original.repeatedBy ?? '')
        const ran = original.seats.map(seat => seat.operator)
        assert.deepEqual(repeated.known?.without, [...new Set(ran)])
        assert.equal(repeated.phase, 'checked')
        for (const { operator } of repeated.seats) assert.ok(!ran.includes(operator), operator)
      }
    }))

  it('end without an answer where everybody ran the job', () =>
    withHouse({ config: { ...known, founders: peers('founder', 3), referees: [] } }, async house => {
      const volunteers = names('founder', 3).map(name => house.volunteer(name))
      for (const volunteer of volunteers) await volunteer.hello()
      const job = await house.coordinator.submit(fileRequest('sample'))
      const isRepeated = async () => (await record(house, job)).repeatedBy !== undefined
      await work(house, volunteers, isRepeated)
      const { repeatedBy = '' } = await record(house, job)
      const isOver = async () => (await record(house, repeatedBy)).phase === 'unresolved'
      await work(house, volunteers, isOver)
      assert.match((await record(house, repeatedBy)).reason ?? '', /nobody left/)
      await work(house, volunteers, isReported(house, job))
    }))
})

describe('jobs whose answer is known: death at every batch', () => {
  /** From the last answer to the report. @returns batches that were asked for meanwhile */
  async function play(mode: 'before' | 'after', at?: number): Promise<number> {
    const store = createMemoryStore()
    const house = await openHouse({ store, config: known })
    try {
      const volunteers = await arriveAll(house)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      const crashing = createCrashingStore(store, mode, at)
      await house.restart(crashing)
      for (let round = 0; (await record(house, job)).phase !== 'reported'; round += 1) {
        assert.ok(round < 60, 'it never ended')
        if (house.failures.splice(0).length > 0) await house.restart(store)
        for (const volunteer of volunteers) {
          const work = async () => {
            await volunteer.hello()
            await workOnce(volunteer)
          }
          await work().catch(() => undefined)
        }
        await house.clock.advance(1_000)
      }
      const { repeatedBy } = await record(house, job)
      const repeats: string[] = []
      for await (const [id, one] of openRecords(store).jobs.entries()) if (one.known) repeats.push(id)
      assert.deepEqual(repeats, [repeatedBy], 'one repeated job, and it is the one that is waited for')
      return crashing.count()
    } finally {
      await house.close()
    }
  }

  it('makes one repeated job of each, never a second', async () => {
    const batches = await play('before')
    assert.ok(batches >= 10, `only ${batches} batches`)
    for (let at = 1; at <= batches; at += 1)
      for (const mode of ['before', 'after'] as const)
        await play(mode, at).catch(cause => {
          throw new Error(`death ${mode} batch ${at} of ${batches}`, { cause })
        })
  })
})

describe('jobs that are made again', () => {
  /** A report, and a note to look at it again. */
  async function reported(house: House, withdraw: boolean) {
    const volunteers = await arriveAll(house)
    const job = await house.coordinator.submit(fileRequest('sample'))
    await work(house, volunteers, isReported(house, job))
    const records = openRecords(house.store)
    await house.store.batch([records.rechecks.put(`${job}/${job}`, { because: job, withdraw })])
    await house.clock.advance(1_500)
    return { volunteers, job, records }
  }
  const reportsOf = (house: House) => house.coordinator.reports({ filename: 'sample-1.0.tar.gz' })
  const withdrawals = async (house: House): Promise<WithdrawalDocument[]> =>
    (await documents(house)).flatMap(one => (one.schema === 'pyti.withdrawal/1' ? [one] : []))

  it('have a fresh nonce, and the note is taken away, so that it happens once', () =>
    withHouse({ config }, async house => {
      const { job, records } = await reported(house, true)
      assert.equal(await records.rechecks.get(`${job}/${job}`), undefined)
      await house.clock.advance(5_000)
      const jobs = []
      for await (const [, { job: id }] of records.jobsByFile.entries()) jobs.push(await record(house, id))
      assert.equal(jobs.length, 2)
      assert.equal(new Set(jobs.map(one => one.job.nonce)).size, 2)
      assert.equal(new Set(jobs.map(one => one.salt)).size, 2)
      assert.deepEqual(
        jobs.map(one => one.rules.jobClass),
        ['N', 'N'],
        'as if the file had no report yet',
      )
    }))

  it('withdraw their report at once where it has nothing left to rest on, in the log', () =>
    withHouse({ config }, async house => {
      const { job, volunteers } = await reported(house, true)
      const [report] = await reportsOf(house)
      assert.equal(report?.withdrawn, true)
      assert.deepEqual(await withdrawals(house), [
        { schema: 'pyti.withdrawal/1', job, report: report?.attestation, because: job },
      ])
      await work(house, volunteers, async () => (await reportsOf(house)).length === 2)
      assert.deepEqual(
        (await reportsOf(house)).map(one => one.withdrawn),
        [false, true],
      )
    }))

  it('leave their report alone until the next one supersedes it where it still rests on others', () =>
    withHouse({ config }, async house => {
      const { volunteers } = await reported(house, false)
      assert.equal((await reportsOf(house))[0]?.withdrawn, false)
      await work(house, volunteers, async () => (await reportsOf(house)).length === 2)
      const [next, before] = await reportsOf(house)
      assert.deepEqual([next?.withdrawn, next?.sequence], [false, (before?.sequence ?? 0) + 1])
      assert.deepEqual(await withdrawals(house), [])
    }))

  it('are held up by no others, however many of these must wait', () =>
    withHouse({ config }, async house => {
      const { volunteers, records } = await reported(house, false)
      const job = await house.coordinator.submit(fileRequest('other'))
      await work(house, volunteers, isReported(house, job))
      // Such as come first and of which nothing can be made.
      const waiting = Array.from({ length: 250 }, (_, n) => `${n}`.padStart(64, '0'))
      const notes = [...waiting, job].map(id =>
        records.rechecks.put(`${id}/${job}`, { because: job, withdraw: true }),
      )
      await house.store.batch(notes)
      await house.clock.advance(5_000)
      const [report] = await house.coordinator.reports({ filename: 'other-1.0.tar.gz' })
      assert.equal(report?.withdrawn, true)
    }))

  it('are made again after a restart between the note and the job', () =>
    withHouse({ config }, async house => {
      const volunteers = await arriveAll(house)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await work(house, volunteers, isReported(house, job))
      const { rechecks } = openRecords(house.store)
      await house.store.batch([rechecks.put(`${job}/${job}`, { because: job, withdraw: true })])
      await house.restart()
      await house.clock.advance(1_500)
      assert.equal((await reportsOf(house))[0]?.withdrawn, true)
      assert.equal(await rechecks.get(`${job}/${job}`), undefined)
    }))
})
