import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sign, statementType } from '../../src/attest/dsse.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { isCode } from '../../src/errors.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import type { Lease } from '../../src/wire/job.ts'
import { limits } from '../../src/wire/limits.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { fileRequest, type House, withHouse } from '../helpers/coordinator-house.ts'
import { arrive, only, status, told } from '../helpers/expect.ts'
import { settled } from '../helpers/manual-clock.ts'
import { testIdentity, testRawData, withTask } from '../helpers/raw-data.ts'
import { honestRawData, type TestVolunteer, workOnce } from '../helpers/test-volunteer.ts'

const file = fileRequest('sample')

describe('handing in raw data', () => {
  /** One volunteer with one lease. */
  const withLease = (
    use: (house: House, volunteer: TestVolunteer, lease: Lease, job: string) => Promise<void>,
  ) =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      const volunteer = await arrive(house, 'a')
      await use(house, volunteer, only(await volunteer.lease()), job)
    })
  const nothingCounted = async (house: House, job: string) => {
    assert.equal(only((await status(house, job)).seats).state, 'leased')
    for await (const [key] of house.store.entries('attestation/')) assert.fail(key)
  }

  it('answers the same attestation alike however often it comes, even after the end', () =>
    withLease(async (house, volunteer, lease, job) => {
      const envelope = await volunteer.attest(honestRawData(volunteer, lease.job))
      const ids = await Promise.all([
        volunteer.handIn(lease.id, envelope),
        volunteer.handIn(lease.id, envelope),
      ])
      for (const name of ['b', 'c']) await workOnce(await arrive(house, name))
      await settled()
      assert.equal((await status(house, job)).phase, 'reported')
      ids.push(await volunteer.handIn(lease.id, envelope))
      assert.equal(new Set(ids).size, 1)
      assert.equal((await status(house, job)).seats.length, 3)
    }))

  it('stores what was signed, what it names and its logs', () =>
    withLease(async (house, volunteer, lease, job) => {
      const rawData = honestRawData(volunteer, lease.job)
      const envelope = await volunteer.attest(rawData)
      const id = await volunteer.handIn(lease.id, envelope)
      assert.deepEqual(await openRecords(house.store).attestations.get(id), {
        job,
        volunteer: volunteer.peerId,
        envelope,
      })
      assert.ok(await house.blobs.size(sha256(canonicalBytes(rawData))))
      assert.ok(await house.blobs.size(rawData.attachments[0]?.sha256 ?? ''))
    }))

  it('refuses a second opinion of the same volunteer', () =>
    withLease(async (_house, volunteer, lease) => {
      const rawData = honestRawData(volunteer, lease.job)
      await volunteer.handIn(lease.id, await volunteer.attest(rawData))
      const other = await volunteer.attest(withTask(rawData, 'install', { filesOmitted: 1 }))
      await assert.rejects(volunteer.handIn(lease.id, other), told('CONFLICT'))
    }))

  it('refuses a lease that is somebody else’s, unknown or given back', () =>
    withLease(async (house, volunteer, lease) => {
      const thief = await arrive(house, 'thief')
      const stolen = await thief.attest(honestRawData(thief, lease.job))
      await assert.rejects(thief.handIn(lease.id, stolen), told('STALE_LEASE'))
      const mine = await volunteer.attest(honestRawData(volunteer, lease.job))
      await assert.rejects(volunteer.handIn('ab'.repeat(16), mine), told('STALE_LEASE'))
      await volunteer.release(lease.id, 'vm-crash')
      await assert.rejects(volunteer.handIn(lease.id, mine), told('STALE_LEASE'))
    }))

  it('takes it late as long as the place is free, and not after', () =>
    withLease(async (house, late, lease, job) => {
      const later = await arrive(house, 'later')
      const second = only(await later.lease())
      await house.clock.advance(lease.remainingMs)
      assert.deepEqual(
        (await status(house, job)).seats.map(({ state }) => state),
        ['lost', 'lost'],
      )
      await late.handIn(lease.id, await late.attest(honestRawData(late, lease.job)))
      for (const name of ['b', 'c']) await (await arrive(house, name)).lease()
      const tooLate = await later.attest(honestRawData(later, second.job))
      await assert.rejects(later.handIn(second.id, tooLate), told('STALE_LEASE'))
    }))

  it('refuses forged signatures and foreign statements', () =>
    withLease(async (house, volunteer, lease, job) => {
      const rawData = honestRawData(volunteer, lease.job)
      const envelope = await volunteer.attest(rawData)
      const [signature] = envelope.signatures
      const payload = Buffer.from(envelope.payload, 'base64')
      const other = await (await arrive(house, 'other')).attest(rawData)
      const impostor = await sign(statementType, payload, testIdentity('impostor'))
      const forgeries = {
        'flipped signature': {
          ...envelope,
          signatures: [{ keyid: signature?.keyid ?? '', sig: `A${(signature?.sig ?? '').slice(1)}` }],
        },
        'no signature': { ...envelope, signatures: [] },
        'another key': impostor,
        'another volunteer': other,
        'another payload': { ...envelope, payload: Buffer.from(`${payload} `).toString('base64') },
        'another type': { ...envelope, payloadType: 'application/json' },
        'not base64': { ...envelope, payload: '%%%' },
        'not a statement': await sign(statementType, canonicalBytes({ hello: 1 }), volunteer.identity),
      }
      for (const [what, forged] of Object.entries(forgeries))
        await assert.rejects(volunteer.handIn(lease.id, forged), told('BAD_REQUEST'), what)
      await nothingCounted(house, job)
      assert.equal(house.coordinator.refusals()['raw-data BAD_REQUEST'], Object.keys(forgeries).length)
    }))

  it('refuses statements about another job, nonce, file, image or volunteer', () =>
    withLease(async (house, volunteer, lease, job) => {
      const rawData = honestRawData(volunteer, lease.job)
      const changes: Parameters<TestVolunteer['attest']>[1][] = [
        s => ({ ...s, predicate: { ...s.predicate, task: { ...s.predicate.task, id: sha256('x') } } }),
        s => ({ ...s, predicate: { ...s.predicate, task: { ...s.predicate.task, nonce: 'ab'.repeat(16) } } }),
        s => ({ ...s, predicate: { ...s.predicate, volunteer: testIdentity('b').peerId } }),
        s => ({
          ...s,
          predicate: { ...s.predicate, runner: [{ name: 'guest-image', digest: { sha256: sha256('x') } }] },
        }),
        s => ({ ...s, subject: [{ name: s.subject[0].name, digest: { sha256: sha256('x') } }] }),
        s => ({ ...s, subject: [{ name: 'other-1.0.tar.gz', digest: s.subject[0].digest }] }),
        s => ({ ...s, predicate: { ...s.predicate, observations: s.predicate.observations.slice(1) } }),
        s => ({ ...s, predicate: { ...s.predicate, observations: s.predicate.observations.slice(0, 1) } }),
      ]
      for (const [n, change] of changes.entries())
        await assert.rejects(
          volunteer.handIn(lease.id, await volunteer.attest(rawData, change)),
          told('BAD_REQUEST'),
          `change ${n}`,
        )
      await nothingCounted(house, job)
    }))

  it('refuses raw data that belongs to another job or file, or has tasks nobody asked for', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit({ ...file, tasks: ['install', 'import'] })
      const volunteer = await arrive(house, 'a')
      const lease = only(await volunteer.lease())
      const { install, import: imported } = honestRawData(volunteer, lease.job).tasks
      const rawData = { ...honestRawData(volunteer, lease.job), tasks: { install, import: imported } }
      const bad = [
        { ...rawData, job: sha256('x') },
        { ...rawData, nonce: 'ab'.repeat(16) },
        { ...rawData, subject: { ...rawData.subject, version: '2.0' } },
        { ...rawData, guest: { ...rawData.guest, stable: { ...rawData.guest.stable, image: sha256('x') } } },
        { ...rawData, tasks: { ...rawData.tasks, quality: testRawData().tasks.quality } },
        { ...rawData, attachments: [...rawData.attachments, ...rawData.attachments] },
      ]
      for (const [n, one] of bad.entries()) {
        const envelope = await volunteer.attest(one, s => ({
          ...s,
          subject: [{ name: file.subject.filename, digest: { sha256: file.subject.sha256 } }],
          predicate: {
            ...s.predicate,
            task: { ...s.predicate.task, id: job, nonce: lease.job.nonce },
            runner: [{ name: 'guest-image', digest: { sha256: lease.job.profile.image } }],
          },
        }))
        await assert.rejects(volunteer.handIn(lease.id, envelope), told('BAD_REQUEST'), `raw data ${n}`)
      }
      await nothingCounted(house, job)
      await volunteer.handIn(lease.id, await volunteer.attest(rawData))
    }))

  describe('of a job that demands a backend', () => {
    const withDemand = (
      use: (house: House, volunteer: TestVolunteer, lease: Lease, job: string) => Promise<void>,
    ) =>
      withHouse({}, async house => {
        const job = await house.coordinator.submit({ ...file, backend: 'tcg' })
        const volunteer = house.volunteer('a')
        await volunteer.hello({ backends: ['uml', 'tcg'] })
        await use(house, volunteer, only(await volunteer.lease()), job)
      })
    const on = (rawData: RawData, backend: RawData['guest']['volatile']['backend']): RawData => ({
      ...rawData,
      guest: { ...rawData.guest, volatile: { ...rawData.guest.volatile, backend } },
    })
    const handIn = async (volunteer: TestVolunteer, lease: Lease, rawData: RawData) =>
      volunteer.handIn(lease.id, await volunteer.attest(rawData))

    it('refuses raw data of another backend, and takes that of the right one', () =>
      withDemand(async (house, volunteer, lease, job) => {
        const rawData = honestRawData(volunteer, lease.job)
        await assert.rejects(
          handIn(volunteer, lease, on(rawData, 'uml')),
          told('BAD_REQUEST', /the VM ran on uml .*, but the job demands tcg/),
        )
        await nothingCounted(house, job)
        await handIn(volunteer, lease, on(rawData, 'tcg'))
        assert.equal(only((await status(house, job)).seats).state, 'submitted')
      }))

    it('refuses tasks that ran on no backend', () =>
      withDemand(async (house, volunteer, lease, job) => {
        await assert.rejects(
          handIn(volunteer, lease, on(honestRawData(volunteer, lease.job), 'none')),
          told('BAD_REQUEST', /names no backend .* but has the task static/),
        )
        await nothingCounted(house, job)
      }))

    for (const reason of ['bad-input', 'tampered'] as const)
      it(`takes raw data without a backend when every task is ${reason}`, () =>
        withDemand(async (house, volunteer, lease, job) => {
          const ended = reason === 'tampered' ? 'failed' : 'not-run'
          const rawData = lease.job.tasks.reduce(
            (one, task) => withTask(one, task, { status: ended, reason }),
            on(honestRawData(volunteer, lease.job), 'none'),
          )
          await handIn(volunteer, lease, rawData)
          assert.equal(only((await status(house, job)).seats).state, 'submitted')
        }))
  })

  it('refuses what is too large, before anything is pulled', () =>
    withLease(async (house, volunteer, lease, job) => {
      const rawData = honestRawData(volunteer, lease.job)
      const huge = await volunteer.attest(rawData, s => {
        const [first, ...rest] = s.predicate.observations
        assert.ok(first)
        const large = { ...first, annotations: { size: limits.rawDataBytes + 1 } }
        return { ...s, predicate: { ...s.predicate, observations: [large, ...rest] } }
      })
      await assert.rejects(volunteer.handIn(lease.id, huge), told('TOO_LARGE'))
      const attachment = { name: 'logs/build.txt', sha256: sha256('log'), size: limits.logBytes + 1 }
      const log = await volunteer.attest({ ...rawData, attachments: [attachment] })
      await assert.rejects(volunteer.handIn(lease.id, log), told('TOO_LARGE', /logs\/build\.txt/))
      await nothingCounted(house, job)
    }))

  it('refuses raw data that is not canonical, not raw data, or missing', () =>
    withLease(async (house, volunteer, lease, job) => {
      const rawData = honestRawData(volunteer, lease.job)
      const bodies = ['{ "a": 1 }', '{"schema":"pyti.raw-data/3"}', '\u0000', JSON.stringify(rawData)]
      for (const body of bodies) {
        const bytes = new TextEncoder().encode(body)
        const digest = volunteer.offer(bytes)
        const envelope = await volunteer.attest(rawData, s => {
          const [first, ...rest] = s.predicate.observations
          assert.ok(first)
          const other = { ...first, digest: { sha256: digest }, annotations: { size: bytes.length } }
          return { ...s, predicate: { ...s.predicate, observations: [other, ...rest] } }
        })
        await assert.rejects(volunteer.handIn(lease.id, envelope), told('BAD_REQUEST'), body.slice(0, 40))
      }
      const envelope = await volunteer.attest(rawData)
      volunteer.forget(rawData.attachments[0]?.sha256 ?? '')
      await assert.rejects(volunteer.handIn(lease.id, envelope), told('BAD_REQUEST', /blob|have/))
      await nothingCounted(house, job)
      honestRawData(volunteer, lease.job)
      await volunteer.handIn(lease.id, envelope)
    }))

  it('counts a copied statement for nobody but its signer', () =>
    withHouse({}, async house => {
      await house.coordinator.submit(file)
      const [honest, copier] = [await arrive(house, 'honest'), await arrive(house, 'copier')]
      const [mine, theirs] = [only(await honest.lease()), only(await copier.lease())]
      const envelope = await honest.attest(honestRawData(honest, mine.job))
      honestRawData(copier, theirs.job)
      await honest.handIn(mine.id, envelope)
      await assert.rejects(copier.handIn(theirs.id, envelope), told('BAD_REQUEST', /is that of/))
    }))

  it('works on so many submissions at a time and no more', () =>
    withHouse({ config: { maxIntakes: 1 } }, async house => {
      await house.coordinator.submit(file)
      const volunteers = [await arrive(house, 'a'), await arrive(house, 'b')]
      const results = await Promise.allSettled(volunteers.map(volunteer => workOnce(volunteer)))
      assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
      const refusal = results.find(result => result.status === 'rejected')
      assert.ok(isCode(refusal?.reason, 'BUSY'))
    }))
})
