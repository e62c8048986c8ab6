import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jobId } from '../../src/wire/job.ts'
import { fileRequest, withHouse } from '../helpers/coordinator-house.ts'
import { arrive, only, status, told } from '../helpers/expect.ts'
import { settled } from '../helpers/manual-clock.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { honestRawData, type TestVolunteer } from '../helpers/test-volunteer.ts'

const file = fileRequest('sample')

describe('hello and lease', () => {
  it('tells the version, the report key and the software', () =>
    withHouse({}, async house => {
      const reply = await house.volunteer('a').hello()
      assert.deepEqual(reply, {
        version: 2,
        reportKey: testIdentity('report key').peerId,
        logKey: house.coordinator.logKey,
        software: 'pyti',
      })
    }))

  it('refuses another version', () =>
    withHouse({}, async house => {
      const volunteer = house.volunteer('a')
      await assert.rejects(volunteer.hello({ version: 3 }), told('UNSUPPORTED_VERSION'))
      await assert.rejects(
        volunteer.hello({ version: 0 }),
        told('UNSUPPORTED_VERSION', /update this volunteer/),
      )
      assert.equal(house.coordinator.refusals()['hello UNSUPPORTED_VERSION'], 2)
    }))

  it('gives nothing to a peer that has not introduced itself, nor after it has gone', () =>
    withHouse({}, async house => {
      await house.coordinator.submit(file)
      const volunteer = house.volunteer('a')
      await assert.rejects(volunteer.lease(), told('UNKNOWN_PEER'))
      await volunteer.hello()
      house.hub.disconnect(volunteer.peerId)
      house.hub.connect(volunteer.peerId)
      await settled()
      await assert.rejects(volunteer.lease(), told('UNKNOWN_PEER'))
    }))

  it('gives the oldest job first, with the time that is left', () =>
    withHouse({}, async house => {
      const jobs: string[] = []
      for (const name of ['first', 'second', 'third']) {
        jobs.push(await house.coordinator.submit(fileRequest(name)))
        await house.clock.advance(5)
      }
      const volunteer = await arrive(house, 'a')
      const leases = await volunteer.lease(2)
      assert.deepEqual(
        leases.map(({ job }) => job.subject.project),
        ['first', 'second'],
      )
      // 1,800 s of the profile, three times as long for the backend uml, and 120 s around it
      assert.equal(leases[0]?.remainingMs, (1_800 * 3 + 120) * 1_000)
      assert.equal((await status(house, jobs[2] ?? '')).phase, 'queued')
    }))

  it('never gives more than the slots, and nothing to a volunteer that cannot work', () =>
    withHouse({}, async house => {
      for (const name of ['a1', 'b1', 'c1', 'd1']) await house.coordinator.submit(fileRequest(name))
      const volunteer = house.volunteer('a')
      await volunteer.hello({ slots: 3 })
      assert.equal((await volunteer.lease(2)).length, 2)
      assert.equal((await volunteer.lease(64)).length, 1)
      assert.equal((await volunteer.lease(64)).length, 0)
      const idle = house.volunteer('b')
      await idle.hello({ slots: 0 })
      assert.equal((await idle.lease()).length, 0)
      await idle.hello({ backends: [] })
      assert.equal((await idle.lease()).length, 0)
    }))

  it('gives a job only to a volunteer that has the backend it demands, past older jobs if need be', () =>
    withHouse({}, async house => {
      const slow = await house.coordinator.submit(fileRequest('slow', { backend: 'tcg' }))
      const any = await house.coordinator.submit(fileRequest('any1'))
      const [uml, both] = [house.volunteer('uml'), house.volunteer('both')]
      await uml.hello({ backends: ['uml'] })
      await both.hello({ backends: ['uml', 'tcg'] })
      assert.deepEqual(
        (await uml.lease(4)).map(({ job }) => jobId(job)),
        [any],
      )
      const leases = await both.lease(4)
      assert.deepEqual(
        leases.map(({ job }) => [jobId(job), job.profile.backend]),
        [
          [slow, 'tcg'],
          [any, 'any'],
        ],
      )
      // 1,800 s of the profile, times 10 for tcg and 3 for uml, and 120 s around it
      assert.deepEqual(
        leases.map(({ remainingMs }) => remainingMs),
        [(1_800 * 10 + 120) * 1_000, (1_800 * 3 + 120) * 1_000],
      )
    }))

  it('counts the preferred backend of a volunteer, not its slowest, for a job that demands none', () =>
    withHouse({}, async house => {
      await house.coordinator.submit(file)
      const volunteer = house.volunteer('a')
      await volunteer.hello({ backends: ['kvm', 'uml', 'tcg'] })
      assert.equal(only(await volunteer.lease()).remainingMs, (1_800 + 120) * 1_000)
    }))

  it('keeps its word when many ask at once', () =>
    withHouse({}, async house => {
      await house.coordinator.submit(file)
      const volunteers: TestVolunteer[] = []
      for (let n = 0; n < 8; n += 1) volunteers.push(await arrive(house, `v${n}`))
      const leases = await Promise.all(
        volunteers.flatMap(volunteer => [volunteer.lease(4), volunteer.lease(4)]),
      )
      assert.equal(leases.flat().length, 3)
      assert.equal(new Set(leases.flat().map(({ id }) => id)).size, 3)
    }))

  it('drops leases that a restarted volunteer does not list', () =>
    withHouse({}, async house => {
      const jobs = [
        await house.coordinator.submit(fileRequest('a1')),
        await house.coordinator.submit(fileRequest('b1')),
      ]
      const volunteer = await arrive(house, 'a')
      const [kept] = await volunteer.lease(2)
      await volunteer.hello({ leases: [kept?.id ?? '', '00'.repeat(16)] })
      const [a, b] = [await status(house, jobs[0] ?? ''), await status(house, jobs[1] ?? '')]
      assert.deepEqual([only(a.seats).state, only(b.seats).state], ['leased', 'lost'])
      assert.equal(only(b.seats).detail, 'restarted')
    }))
})

describe('leases that do not end well', () => {
  it('are given to somebody else after the deadline', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      const slow = await arrive(house, 'slow')
      const lease = only(await slow.lease())
      await house.clock.advance(lease.remainingMs - 1_000)
      assert.equal(only((await status(house, job)).seats).state, 'leased')
      await house.clock.advance(1_000)
      assert.deepEqual(only((await status(house, job)).seats), {
        volunteer: slow.peerId,
        state: 'lost',
        detail: 'deadline',
      })
    }))

  it('outlive a connection for its grace only', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      const volunteer = await arrive(house, 'a')
      const lease = only(await volunteer.lease())
      house.hub.disconnect(volunteer.peerId)
      await settled()
      await house.clock.advance(14_000)
      house.hub.connect(volunteer.peerId)
      await settled()
      await volunteer.hello({ leases: [lease.id] })
      await house.clock.advance(60_000)
      assert.equal(only((await status(house, job)).seats).state, 'leased')
      house.hub.disconnect(volunteer.peerId)
      await settled()
      await house.clock.advance(15_000)
      assert.equal(only((await status(house, job)).seats).detail, 'disconnected')
    }))

  it('outlive a restart of the coordinator, when the volunteer comes back in time', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      const [a, b] = [await arrive(house, 'a'), await arrive(house, 'b')]
      const lease = only(await a.lease())
      await b.lease()
      await house.restart()
      await house.clock.advance(30_000)
      await a.hello({ leases: [lease.id] })
      await house.clock.advance(30_000)
      assert.deepEqual(
        (await status(house, job)).seats.map(({ state }) => state),
        ['leased', 'lost'],
      )
      await a.handIn(lease.id, await a.attest(honestRawData(a, lease.job)))
    }))

  it('can be given back, once or again', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      const volunteer = await arrive(house, 'a')
      const lease = only(await volunteer.lease())
      await volunteer.release(lease.id, 'vm-crash', 'kernel panic')
      await volunteer.release(lease.id, 'vm-crash', 'kernel panic')
      assert.equal(only((await status(house, job)).seats).detail, 'vm-crash: kernel panic')
      await assert.rejects(volunteer.release('ab'.repeat(16), 'internal'), told('STALE_LEASE'))
    }))

  it('cannot be given back by somebody else', () =>
    withHouse({}, async house => {
      await house.coordinator.submit(file)
      const lease = only(await (await arrive(house, 'a')).lease())
      const thief = await arrive(house, 'thief')
      await assert.rejects(thief.release(lease.id, 'internal'), told('STALE_LEASE'))
    }))

  it('say which file could not be found, by three volunteers', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      for (const name of ['a', 'b', 'c']) {
        const volunteer = await arrive(house, name)
        await volunteer.release(only(await volunteer.lease()).id, 'file-missing')
      }
      const { phase, reason } = await status(house, job)
      assert.deepEqual({ phase, reason }, { phase: 'unresolved', reason: 'file-missing' })
    }))
})
