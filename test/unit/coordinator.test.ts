import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verifyBundle } from '../../src/attest/verify.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { isCode } from '../../src/errors.ts'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import { readBlob } from '../../src/store/blob-bytes.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import type { JobStatus } from '../../src/wire/commands.ts'
import type { Job } from '../../src/wire/job.ts'
import { limits } from '../../src/wire/limits.ts'
import { fileRequest, type House, reportSigner, withHouse } from '../helpers/coordinator-house.ts'
import { settled } from '../helpers/manual-clock.ts'
import { withTask } from '../helpers/raw-data.ts'
import { honestRawData, lyingRawData, type TestVolunteer, workOnce } from '../helpers/test-volunteer.ts'

const crowd = (house: House, count: number): TestVolunteer[] =>
  Array.from({ length: count }, (_, n) => house.volunteer(`volunteer ${n}`))

async function status(house: House, job: string): Promise<JobStatus> {
  return (await house.coordinator.status(job)) ?? assert.fail(`no job ${job}`)
}

async function bundleOf(house: House, job: string): Promise<Uint8Array> {
  const { bundle } = await status(house, job)
  return readBlob(house.blobs, bundle ?? assert.fail('no bundle'), limits.bundleBytes)
}

describe('coordinator: a job from submission to report', () => {
  it('reports what three honest volunteers agree on', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(fileRequest('sample'))
      const phases: string[] = []
      house.coordinator.onChange(change => phases.push(change.phase))
      for (const volunteer of crowd(house, 3)) {
        await volunteer.hello()
        assert.equal((await workOnce(volunteer)).length, 1)
        assert.equal((await volunteer.lease()).length, 0, 'never two seats of one job')
      }
      await settled()
      assert.equal((await status(house, job)).phase, 'reported')
      assert.deepEqual(phases, [
        'leased',
        'leased',
        'leased',
        'leased',
        'leased',
        'agreed',
        'agreed',
        'reported',
      ])
      const verification = await verifyBundle(await bundleOf(house, job), {
        trustedKeys: [peerIdFromPublicKey(reportSigner.publicKey)],
      })
      assert.deepEqual(
        verification.checks.filter(check => check.state === 'failed'),
        [],
      )
      assert.equal(verification.evaluation?.verdict, 'clean')
      assert.equal(verification.volunteers.filter(({ agreeing }) => agreeing).length, 3)
    }))

  it('tells what a release does that the one before did not', () =>
    withHouse({ deps: { compareVersions: (a, b) => Number(a) - Number(b) } }, async house => {
      const volunteers = crowd(house, 3)
      for (const volunteer of volunteers) await volunteer.hello()
      const report = async (version: string, find = honestRawData) => {
        const { subject } = fileRequest('sample')
        const filename = `sample-${version}.tar.gz`
        const job = await house.coordinator.submit(
          fileRequest('sample', { subject: { ...subject, version, filename, sha256: sha256(filename) } }),
        )
        for (const volunteer of volunteers) await workOnce(volunteer, find)
        await settled()
        await house.clock.advance(1_000)
        const verification = await verifyBundle(await bundleOf(house, job))
        assert.deepEqual(
          verification.checks.filter(check => check.state === 'failed'),
          [],
        )
        return verification.evaluation
      }
      assert.equal((await report('1'))?.since, undefined)
      assert.deepEqual((await report('3'))?.since?.added, [])
      const curious: typeof honestRawData = (volunteer, job) =>
        withTask(honestRawData(volunteer, job), 'import', {
          events: [{ kind: 'exec', what: 'curl', by: 'python', times: 'once' }],
        })
      const since = (await report('2', curious))?.since
      assert.equal(since?.version, '1', 'the one below, not the newest')
      assert.equal(since.addedCount, 1)
      assert.match(since.added[0]?.evidence ?? '', /curl/)
    }))

  it('looks into a dissent with a panel, and names the liar in the report', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(fileRequest('sample'))
      const volunteers = crowd(house, 8)
      for (const [n, volunteer] of volunteers.entries()) {
        await volunteer.hello()
        await workOnce(volunteer, n === 1 ? lyingRawData : honestRawData)
      }
      await settled()
      assert.equal((await status(house, job)).phase, 'reported')
      const { volunteers: found } = await verifyBundle(await bundleOf(house, job))
      assert.equal(found.length, 8)
      assert.deepEqual(
        found.filter(({ agreeing }) => !agreeing).map(({ volunteer }) => volunteer),
        [volunteers[1]?.peerId],
      )
    }))

  it('refuses what came for an earlier job on the file, and takes what follows from its own nonce', () =>
    withHouse({}, async house => {
      const keyedFor = (volunteer: TestVolunteer, job: Job, nonce: string) =>
        withTask(honestRawData(volunteer, job), 'install', { keyed: sha256(nonce) })
      const honest: typeof honestRawData = (volunteer, job) => keyedFor(volunteer, job, job.nonce)
      const first = await house.coordinator.submit(fileRequest('sample'))
      const volunteers = crowd(house, 4)
      for (const volunteer of volunteers) await volunteer.hello()
      for (const volunteer of volunteers) await workOnce(volunteer, honest)
      await settled()
      const { nonce } = (await openRecords(house.store).jobs.get(first))?.job ?? assert.fail()

      await house.clock.advance(1_000)
      const second = await house.coordinator.submit(fileRequest('sample'))
      const [copier = assert.fail(), ...others] = volunteers
      const copied = workOnce(copier, (volunteer, job) => keyedFor(volunteer, job, nonce))
      await assert.rejects(copied, new RegExp(`is a copy of job ${first}`))
      for (const volunteer of others) await workOnce(volunteer, honest)
      await settled()
      assert.equal((await status(house, second)).seats.filter(seat => seat.state === 'submitted').length, 2)
    }))

  it('makes no report when everybody says something else', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(fileRequest('sample'))
      for (const volunteer of crowd(house, 8)) {
        await volunteer.hello()
        await workOnce(volunteer, lyingRawData)
      }
      const { phase, reason, bundle } = await status(house, job)
      assert.equal(phase, 'unresolved')
      assert.match(reason ?? '', /8 volunteers differ in install/)
      assert.equal(bundle, undefined)
      assert.deepEqual(await house.coordinator.reports({ sha256: fileRequest('sample').subject.sha256 }), [])
    }))

  it('keeps to the quorum it is given', async () => {
    for (const quorum of [1, 2, 5])
      await withHouse({ config: { quorum } }, async house => {
        const job = await house.coordinator.submit(fileRequest('sample'))
        for (const [n, volunteer] of crowd(house, quorum).entries()) {
          assert.equal((await status(house, job)).phase, n === 0 ? 'queued' : 'leased')
          await volunteer.hello()
          await workOnce(volunteer)
        }
        await settled()
        assert.equal((await status(house, job)).phase, 'reported')
      })
  })

  it('makes the report later when it could not be made at once, and the same one', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(fileRequest('sample'))
      const volunteers = crowd(house, 3)
      for (const volunteer of volunteers.slice(0, 2)) {
        await volunteer.hello()
        await workOnce(volunteer)
      }
      const [seat] = (await openRecords(house.store).jobs.get(job))?.seats ?? []
      assert.ok(seat?.state === 'submitted')
      const { sha256, size } = seat.submission.rawData
      const bytes = await house.blobs.read(sha256, 0, size)
      await house.blobs.delete(sha256)
      for (const volunteer of volunteers.slice(2)) {
        await volunteer.hello()
        await workOnce(volunteer)
      }
      await house.clock.advance(60_000)
      assert.equal((await status(house, job)).phase, 'agreed')
      await house.blobs.put(sha256, [bytes])
      await house.restart()
      await house.clock.advance(1_000)
      assert.equal((await status(house, job)).phase, 'reported')
      const { ok, report } = await verifyBundle(await bundleOf(house, job))
      assert.ok(ok)
      assert.equal(report?.predicate.timeVerified, '2026-11-20T12:00:00Z')
    }))

  it('is not disturbed by a listener that throws', () =>
    withHouse({}, async house => {
      house.coordinator.onChange(() => {
        throw new Error('listener')
      })
      const job = await house.coordinator.submit(fileRequest('sample'))
      assert.equal((await status(house, job)).phase, 'queued')
    }))

  it('waits for a submission in progress when it stops', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(fileRequest('sample'))
      const [volunteer] = crowd(house, 1)
      assert.ok(volunteer)
      await volunteer.hello()
      const [lease] = await volunteer.lease()
      assert.ok(lease)
      const envelope = await volunteer.attest(honestRawData(volunteer, lease.job))
      const handingIn = volunteer.handIn(lease.id, envelope).catch(() => 'refused')
      for (let turn = 0; turn < 20; turn += 1) await null
      await house.restart()
      assert.deepEqual(house.failures, [])
      await handingIn
      await volunteer.hello({ leases: [lease.id] })
      await volunteer.handIn(lease.id, envelope)
      assert.deepEqual(
        (await status(house, job)).seats.map(({ state }) => state),
        ['submitted'],
      )
    }))

  it('starts only once and refuses the data of a newer program', async () => {
    await withHouse({}, async house => {
      await assert.rejects(house.coordinator.start(), error => isCode(error, 'already-started'))
    })
    const store = createMemoryStore()
    await store.batch([{ type: 'put', key: 'meta/schema', value: { version: 99 } }])
    await assert.rejects(
      withHouse({ store }, async () => {}),
      error => isCode(error, 'store-too-new'),
    )
  })
})
