import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CloseDocument, readDocument } from '../../src/attest/documents.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { type StoredJob, submittedSeats } from '../../src/coordinator/state.ts'
import { readBlob } from '../../src/store/blob-bytes.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import { jobId } from '../../src/wire/job.ts'
import { limits } from '../../src/wire/limits.ts'
import type { Truth } from '../../src/wire/truth.ts'
import { fileRequest, type House, withHouse } from '../helpers/coordinator-house.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import {
  honestRawData,
  lyingRawData,
  ringRawData,
  type TestVolunteer,
  workOnce,
} from '../helpers/test-volunteer.ts'

const names = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${kind} ${n}`)
const peers = (kind: string, count: number) => names(kind, count).map(name => testIdentity(name).peerId)
const config = { founders: peers('founder', 8), referees: peers('referee', 5) }

async function arriveAll(house: House, kind: string, count: number): Promise<TestVolunteer[]> {
  const volunteers = names(kind, count).map(name => house.volunteer(name))
  for (const volunteer of volunteers) await volunteer.hello()
  return volunteers
}

const record = async (house: House, job: string) =>
  (await openRecords(house.store).jobs.get(job)) ?? assert.fail(`no job ${job}`)

/** Lets everybody ask for work until the job has ended. */
async function work(
  house: House,
  job: string,
  volunteers: TestVolunteer[],
  says: (volunteer: TestVolunteer) => typeof honestRawData = () => honestRawData,
): Promise<void> {
  for (let round = 0; round < 40; round += 1) {
    const { phase } = await record(house, job)
    if (phase === 'reported' || phase === 'unresolved') return
    for (const volunteer of volunteers) await workOnce(volunteer, says(volunteer))
    await house.clock.advance(1_000)
  }
  assert.fail(`the job is still ${(await record(house, job)).phase}`)
}

async function verified(house: House, job: string) {
  const { bundle } = await record(house, job)
  const bytes = await readBlob(house.blobs, bundle ?? assert.fail('no bundle'), limits.bundleBytes)
  const verification = await verifyBundle(bytes, { logKey: house.coordinator.logKey })
  assert.deepEqual(
    verification.checks.filter(check => check.state === 'failed'),
    [],
  )
  return verification
}

describe('coordinator that weighs answers', () => {
  it('gives no seat before the draw, then only to those that were drawn', () =>
    withHouse({ config }, async house => {
      const volunteers = await arriveAll(house, 'founder', 8)
      const job = await house.coordinator.submit(fileRequest('sample'))
      assert.equal((await volunteers[0]?.lease())?.length, 0)
      await house.clock.advance(3_000)
      const drawn = await record(house, job)
      assert.ok(drawn.draw)
      assert.equal(drawn.rules.jobClass, 'N')
      const leases = []
      for (const volunteer of volunteers) leases.push(...(await volunteer.lease()))
      assert.equal(leases.length, drawn.rules.seats)
      assert.deepEqual((await house.coordinator.status(job))?.seats, [], 'seats are nobody’s business yet')
    }))

  it('reports what the drawn agree on, with their weights, in the log', () =>
    withHouse({ config }, async house => {
      const volunteers = [
        ...(await arriveAll(house, 'founder', 8)),
        ...(await arriveAll(house, 'referee', 5)),
        ...(await arriveAll(house, 'newcomer', 3)),
      ]
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      await work(house, job, volunteers)
      const { report } = await verified(house, job)
      const weights = report?.predicate.inputAttestations.map(one => one.annotations.weight)
      assert.ok(weights?.every(weight => weight === 32_000))
      assert.equal(report?.predicate.policy.annotations.jobClass, 'N')
    }))

  it('has referees look into a dissent, and strikes the liar', () =>
    withHouse({ config }, async house => {
      const volunteers = [
        ...(await arriveAll(house, 'founder', 8)),
        ...(await arriveAll(house, 'referee', 5)),
      ]
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      let liar: string | undefined
      for (const volunteer of volunteers)
        if (liar === undefined && (await workOnce(volunteer, lyingRawData)).length > 0)
          liar = volunteer.peerId
      await work(house, job, volunteers)
      const closed = await record(house, job)
      const roles = submittedSeats(closed).map(seat => seat.role)
      const { report } = await verified(house, job)
      assert.equal(roles.filter(role => role === 'referee').length, 5)
      assert.deepEqual(
        report?.predicate.excluded.map(one => [one.volunteer, one.reason]),
        [[liar, 'dissent']],
      )
    }))

  it('ends a job for which nobody came in a day, and says so', () =>
    withHouse({ config: { ...config, undrawnMs: 60_000 } }, async house => {
      await arriveAll(house, 'founder', 8)
      const nobodyHas = { backend: 'kvm' } as const
      const job = await house.coordinator.submit(fileRequest('sample', nobodyHas))
      await house.clock.advance(50_000)
      assert.equal((await record(house, job)).phase, 'queued')
      await house.clock.advance(20_000)
      const { phase, reason } = await record(house, job)
      assert.deepEqual(
        [phase, reason],
        ['unresolved', 'the network has had nobody who could be drawn for it'],
      )
    }))

  it('gives no job up because the log was at a stand for a day', async () => {
    let away = false
    const cosign = async (note: string) => (away ? assert.fail('no witness answers') : note)
    await withHouse({ config: { ...config, undrawnMs: 60_000 }, deps: { cosign } }, async house => {
      const volunteers = await arriveAll(house, 'founder', 8)
      await house.clock.advance(3_000)
      away = true
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(90_000)
      assert.equal((await record(house, job)).phase, 'queued')
      away = false
      await house.clock.advance(3_000)
      await work(house, job, volunteers)
      assert.equal((await record(house, job)).phase, 'reported')
    })
  })

  it('goes on where it was after a restart', () =>
    withHouse({ config }, async house => {
      const volunteers = await arriveAll(house, 'founder', 8)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      await workOnce(volunteers[0] ?? assert.fail())
      await house.restart()
      for (const volunteer of volunteers) await volunteer.hello()
      await work(house, job, volunteers)
      assert.equal((await record(house, job)).phase, 'reported')
    }))
})

describe('coordinator that checks volunteers', () => {
  it('repeats a job before its report is out, to somebody else, and counts the answer as a check', () =>
    withHouse({ config: { ...config, knownPerMille: 1_000 } }, async house => {
      const volunteers = await arriveAll(house, 'founder', 8)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      await work(house, job, volunteers)
      const { repeatedBy } = await record(house, job)
      const repeated = await record(house, repeatedBy ?? assert.fail('it was not repeated'))
      assert.equal(repeated.phase, 'checked')
      assert.equal(repeated.rules.jobClass, 'K')
      assert.notEqual(repeated.job.nonce, (await record(house, job)).job.nonce)
      const closed = await closingOf(house, repeated.id)
      assert.equal(closed.outcome, 'known')
      assert.deepEqual(
        closed.changes.map(change => change.type === 'answered' && change.result),
        ['checked'],
      )
      assert.equal((await house.coordinator.reports({ filename: 'sample-1.0.tar.gz' })).length, 1)
    }))

  it('lets a report go after a while though nobody repeats its job', () =>
    withHouse({ config: { ...config, knownPerMille: 1_000, knownHoldMs: 5_000 } }, async house => {
      const volunteers = await arriveAll(house, 'founder', 8)
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      for (const volunteer of volunteers) await workOnce(volunteer)
      await house.clock.advance(1_000)
      assert.equal((await record(house, job)).phase, 'agreed')
      await house.clock.advance(10_000)
      assert.equal((await record(house, job)).phase, 'reported')
    }))

  it('hands out bundled samples as files of authors, repeats them, and publishes nothing of them', () =>
    withSamples({ verdict: 'clean', tasks: { install: { status: 'passed' } } }, async ({ house, sample }) => {
      const { origin, subject } = sample.job
      assert.deepEqual([origin, subject.project], ['coordinator', 'plain-frame-kit'])
      assert.equal((await house.blobs.size(subject.sha256)) ?? 0, subject.size)
      const closed = await closingOf(house, sample.id)
      assert.deepEqual([closed.outcome, closed.report], ['sample', undefined])
      const repeated = await closingOf(house, sample.repeatedBy ?? assert.fail('it was not repeated'))
      assert.deepEqual([repeated.outcome, repeated.accepted], ['known', closed.seats[0]?.across])
      assert.deepEqual(await house.coordinator.reports({ sha256: subject.sha256 }), [])
      const changes = (await closings(house)).flatMap(close => close.changes)
      assert.deepEqual(
        changes.filter(({ type }) => type === 'audited'),
        [],
      )
    }))

  it('asks referees when a sample is not told as what it is', () =>
    withSamples({ verdict: 'confirmed', tasks: {} }, async ({ house, sample }) => {
      const changes = (await closings(house)).flatMap(close => close.changes)
      assert.deepEqual(
        changes.filter(({ type }) => type === 'audited'),
        [{ type: 'audited', job: sample.id, result: 'borne-out' }],
        'here it is the sample that is wrong',
      )
    }))

  it('has a referee run a reported job again; one alone that says otherwise costs nobody a report', () =>
    withHouse({ config }, async house => {
      const founders = await arriveAll(house, 'founder', 8)
      const referees = await arriveAll(house, 'referee', 5)
      const volunteers = [...founders, ...referees]
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(3_000)
      await work(house, job, volunteers)
      // Drawn for one report in a hundred; here it is asked for.
      await house.store.batch([openRecords(house.store).audits.put(job, { attempt: 1, from: 0 })])
      const ran: string[] = []
      await everythingDone(house, volunteers, () => (volunteer, lease) => {
        ran.push(volunteer.peerId)
        return ran.length === 1 ? lyingRawData(volunteer, lease) : honestRawData(volunteer, lease)
      })
      assert.ok(referees.some(({ peerId }) => peerId === ran[0]))
      const changes = (await closings(house)).flatMap(close => close.changes)
      const of = (type: string) => changes.filter(change => change.type === type)
      assert.deepEqual(of('audited'), [{ type: 'audited', job, result: 'refuted' }])
      assert.equal(of('suspected').length, 1)
      assert.ok(of('tried').length > 1)
      assert.deepEqual([of('banned'), of('withdrawn')], [[], []])
      const reports = await house.coordinator.reports({ filename: 'sample-1.0.tar.gz' })
      assert.equal(reports.length, 2, 'it does not repeat, so it is made anew')
    }))

  /** A report whose audit was asked for, and referees that do not have the files for the first so many runs. */
  async function auditWith(house: House, failures: number) {
    const founders = await arriveAll(house, 'founder', 8)
    const referees = await arriveAll(house, 'referee', 5)
    const job = await house.coordinator.submit(fileRequest('sample'))
    await house.clock.advance(3_000)
    await work(house, job, [...founders, ...referees])
    await house.store.batch([openRecords(house.store).audits.put(job, { attempt: 1, from: 0 })])
    const trials = new Set<string>()
    const round = async () => {
      await house.clock.advance(1_000)
      for (const referee of referees) {
        await referee.hello()
        for (const { id, job: repeated } of await referee.lease()) {
          trials.add(jobId(repeated))
          if (trials.size <= failures) await referee.release(id, 'file-missing')
          else await referee.handIn(id, await referee.attest(honestRawData(referee, repeated)))
        }
      }
    }
    const rounds = async (count: number) => {
      for (let n = 0; n < count; n += 1) await round()
    }
    const audited = async () => (await closings(house)).flatMap(({ changes }) => changes.filter(isAudited))
    return { job, trials, rounds, audited }
  }
  const isAudited = ({ type }: { type: string }) => type === 'audited'

  it('asks for an audit again that came to nothing, after a while', () =>
    withHouse({ config: { ...config, auditRetryMs: 30_000 } }, async house => {
      const { job, trials, rounds, audited } = await auditWith(house, 2)
      await rounds(20)
      assert.deepEqual([trials.size, await audited()], [1, []])
      await house.restart()
      await rounds(30)
      assert.deepEqual([trials.size, await audited()], [2, []])
      await rounds(70)
      assert.deepEqual([trials.size, await audited()], [3, [{ type: 'audited', job, result: 'borne-out' }]])
      await rounds(100)
      assert.equal(trials.size, 3)
    }))

  it('has no audit held up by others that have to wait', () =>
    withHouse({ config }, async house => {
      const { trials, rounds, audited } = await auditWith(house, 0)
      const { audits } = openRecords(house.store)
      const later = { attempt: 2, from: house.clock.now() + 86_400_000 }
      const waiting = Array.from({ length: 250 }, (_, n) => audits.put(`${n}`.padStart(64, '0'), later))
      await house.store.batch(waiting)
      await rounds(20)
      assert.deepEqual([trials.size, (await audited()).length], [1, 1])
    }))

  it('gives an audit up that came to nothing five times', () =>
    withHouse({ config: { ...config, auditRetryMs: 1_000 } }, async house => {
      const { trials, rounds, audited } = await auditWith(house, 100)
      await rounds(150)
      assert.deepEqual([trials.size, await audited()], [5, []])
      for (const trial of trials) assert.equal((await closingOf(house, trial)).outcome, 'unresolved')
      for await (const [job] of openRecords(house.store).audits.entries()) assert.fail(`a note on ${job}`)
    }))

  it('bans a ring that was caught, withdraws what rested on it and makes it anew', () =>
    withHouse({ config: { ...config, founders: peers('founder', 12), knownPerMille: 0 } }, async house => {
      const volunteers = [
        ...(await arriveAll(house, 'founder', 12)),
        ...(await arriveAll(house, 'referee', 5)),
      ]
      const lied = await house.coordinator.submit(fileRequest('first'))
      await house.clock.advance(3_000)
      const ring = new Set<string>(peers('founder', 7))
      for (const volunteer of volunteers)
        if ((await workOnce(volunteer, ringRawData)).length > 0) ring.add(volunteer.peerId)
      await house.clock.advance(2_000)
      assert.equal((await record(house, lied)).phase, 'reported', 'a ring that holds all seats gets its way')

      const says = (volunteer: TestVolunteer) => (ring.has(volunteer.peerId) ? ringRawData : honestRawData)
      const banned = () => isWithdrawn(house, 'first-1.0.tar.gz')
      for (let n = 0; n < 40 && !(await banned()); n += 1) {
        const job = await house.coordinator.submit(fileRequest(`next${n}`))
        await house.clock.advance(3_000)
        await work(house, job, volunteers, says)
        await everythingDone(house, volunteers, says)
      }
      assert.ok(await banned(), 'the ring was caught in none of forty jobs')
      await everythingDone(house, volunteers, says)
      const reports = await house.coordinator.reports({ filename: 'first-1.0.tar.gz' })
      const [newest, before] = reports
      const old = reports.at(-1)
      // It may have been looked at again before it fell.
      assert.ok(reports.length === 2 || reports.length === 3, `${reports.length}`)
      assert.deepEqual([newest?.withdrawn, newest?.sequence], [false, reports.length])
      assert.deepEqual([old?.withdrawn, old?.job], [true, lied])
      const { report } = await verified(house, newest?.job ?? '')
      assert.equal(report?.predicate.supersedes, before?.attestation)
    }))
})

/** A network with nothing but one upload and the sample that follows it, once all is done. */
function withSamples(
  truth: Truth,
  look: (seen: { house: House; sample: StoredJob }) => Promise<void>,
): Promise<void> {
  const bytes = new TextEncoder().encode('a sample')
  const made = {
    bytes,
    sha256: sha256(bytes),
    kind: 'sdist',
    project: 'plain-frame-kit',
    version: '1.0',
  } as const
  const about = { filename: 'plain_frame_kit-1.0.tar.gz', requiresPython: '>=3.11', dependencies: [], truth }
  const makeSample = async () => ({ ...made, ...about })
  const always = { ...config, samplePerMille: 1_000, knownPerMille: 0 }
  return withHouse({ config: always, deps: { makeSample } }, async house => {
    const volunteers = [...(await arriveAll(house, 'founder', 8)), ...(await arriveAll(house, 'referee', 5))]
    await house.coordinator.submit(fileRequest('sample'))
    await house.clock.advance(3_000)
    await everythingDone(house, volunteers, () => honestRawData)
    for await (const [, record] of openRecords(house.store).jobs.entries())
      if (record.sample) return look({ house, sample: record })
    assert.fail('there was no sample')
  })
}

/** Lets everybody work until no job is left, those that the coordinator makes by itself among them. */
async function everythingDone(
  house: House,
  volunteers: TestVolunteer[],
  says: (volunteer: TestVolunteer) => typeof honestRawData,
): Promise<void> {
  for (let round = 0, idle = 0; idle < 5; round += 1) {
    assert.ok(round < 200, 'jobs are left after 200 rounds')
    await house.clock.advance(1_000)
    let done = 0
    for (const volunteer of volunteers) done += (await workOnce(volunteer, says(volunteer))).length
    idle = done === 0 ? idle + 1 : 0
  }
}

async function isWithdrawn(house: House, filename: string): Promise<boolean> {
  return (await house.coordinator.reports({ filename })).some(report => report.withdrawn)
}

/** The documents that say how jobs ended. */
async function closings(house: House): Promise<CloseDocument[]> {
  const found: CloseDocument[] = []
  for await (const [, document] of openRecords(house.store).documents.entries()) {
    const read = readDocument(canonicalBytes(document))
    if (read.schema === 'pyti.close/1') found.push(read)
  }
  return found
}

async function closingOf(house: House, job: string): Promise<CloseDocument> {
  return (await closings(house)).find(close => close.job === job) ?? assert.fail(`job ${job} has not closed`)
}
