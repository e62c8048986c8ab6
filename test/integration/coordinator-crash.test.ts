import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { verifyBundle } from '../../src/attest/verify.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { submittedSeats } from '../../src/coordinator/state.ts'
import { isCode } from '../../src/errors.ts'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import { readBlob } from '../../src/store/blob-bytes.ts'
import { openLevelStore } from '../../src/store/level.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import type { Lease } from '../../src/wire/job.ts'
import { limits } from '../../src/wire/limits.ts'
import { fileRequest, type House, openHouse, reportSigner } from '../helpers/coordinator-house.ts'
import { createCrashingStore } from '../helpers/crashing-store.ts'
import { collect } from '../helpers/store-contract.ts'
import { withDirectory } from '../helpers/temporary.ts'
import { honestRawData, lyingRawData, type TestVolunteer } from '../helpers/test-volunteer.ts'

const good = fileRequest('good')
const missing = fileRequest('missing')

/** A volunteer that never gives up: what was not answered is done again, whatever coordinator runs then. */
interface Agent {
  volunteer: TestVolunteer
  held: Map<string, { lease: Lease; envelope: Envelope }>
  acknowledged: Set<string>
  liar: boolean
  /** Forgets its first lease, as if it were restarted. */
  forgetful: boolean
  /** Gives its first lease back. */
  clumsy: boolean
}

/** Plays one story to its end: one job that is agreed over a liar, one whose file nobody finds. */
async function play(base: Store, crashing: Store): Promise<void> {
  const house = await openHouse({ store: base })
  try {
    const agents = Array.from({ length: 9 }, (_, n) => ({
      volunteer: house.volunteer(`agent ${n}`),
      held: new Map(),
      acknowledged: new Set<string>(),
      liar: n === 1,
      forgetful: n === 2,
      clumsy: n === 3,
    }))
    await house.restart(crashing)
    const jobs = await playUntilDone(house, base, agents)
    await checkEnd(house, base, jobs, agents)
  } finally {
    await house.close()
  }
}

async function playUntilDone(house: House, base: Store, agents: Agent[]): Promise<[string, string]> {
  let goodJob: string | undefined
  let missingJob: string | undefined
  // A real disk takes its own time, which the rounds do not wait for.
  for (let round = 0; round < 600; round += 1) {
    if (house.failures.splice(0).length > 0) await house.restart(base)
    goodJob ??= await house.coordinator.submit(good).catch(() => undefined)
    missingJob ??= await house.coordinator.submit(missing).catch(() => undefined)
    for (const agent of agents) await act(agent).catch(() => undefined)
    await house.clock.advance(1_000)
    if (house.failures.length > 0 || goodJob === undefined || missingJob === undefined) continue
    const phases = [await house.coordinator.status(goodJob), await house.coordinator.status(missingJob)]
    if (phases[0]?.phase === 'reported' && phases[1]?.phase === 'unresolved') return [goodJob, missingJob]
  }
  assert.fail('the jobs never ended')
}

async function act(agent: Agent): Promise<void> {
  const { volunteer, held } = agent
  await volunteer.hello({ leases: [...held.keys()] })
  for (const { lease, envelope } of held.values()) await perform(agent, lease, envelope)
  for (const lease of await volunteer.lease(2)) {
    if (agent.forgetful) {
      agent.forgetful = false
      continue
    }
    const find = agent.liar ? lyingRawData : honestRawData
    const envelope = await volunteer.attest(find(volunteer, lease.job))
    held.set(lease.id, { lease, envelope })
    await perform(agent, lease, envelope)
  }
}

async function perform(agent: Agent, lease: Lease, envelope: Envelope): Promise<void> {
  const { volunteer, held } = agent
  try {
    if (lease.job.subject.filename === missing.subject.filename)
      await volunteer.release(lease.id, 'file-missing')
    else if (agent.clumsy) await volunteer.release(lease.id, 'vm-crash').then(() => (agent.clumsy = false))
    else agent.acknowledged.add(await volunteer.handIn(lease.id, envelope))
  } catch (error) {
    if (!isCode(error, 'STALE_LEASE', 'CONFLICT')) throw error
  }
  held.delete(lease.id)
}

async function checkEnd(house: House, base: Store, jobs: [string, string], agents: Agent[]): Promise<void> {
  const records = openRecords(base)
  const [goodRecord, missingRecord] = [await records.jobs.get(jobs[0]), await records.jobs.get(jobs[1])]
  assert.ok(goodRecord && missingRecord)
  assert.equal(missingRecord.reason, 'file-missing')
  assert.deepEqual(submittedSeats(missingRecord), [])

  const seats = submittedSeats(goodRecord)
  const counted = new Set(seats.map(seat => seat.submission.attestation))
  assert.equal(new Set(seats.map(seat => seat.volunteer)).size, seats.length, 'a volunteer was counted twice')
  for (const agent of agents)
    for (const id of agent.acknowledged) assert.ok(counted.has(id), 'an acknowledged submission was lost')
  const reportKey = peerIdFromPublicKey(reportSigner.publicKey)
  assert.deepEqual(
    (await collect(records.attestations.entries()))
      .filter(([, { volunteer }]) => volunteer !== reportKey)
      .map(([id]) => id)
      .sort(),
    [...counted].sort(),
  )

  const reports = await house.coordinator.reports({ sha256: good.subject.sha256 })
  assert.equal(reports.length, 1)
  assert.equal(reports[0]?.bundle.sha256, goodRecord.bundle)
  const { ok, volunteers } = await verifyBundle(
    await readBlob(house.blobs, goodRecord.bundle ?? '', limits.bundleBytes),
  )
  assert.ok(ok)
  assert.deepEqual(volunteers.map(({ attestation }) => attestation).sort(), [...counted].sort())

  assert.equal((await collect(records.jobs.entries())).length, 2, 'a job was made twice')
  for (const prefix of ['unfinished/', 'ballot/']) assert.deepEqual(await collect(base.entries(prefix)), [])
}

describe('coordinator: death at every batch', () => {
  it('loses nothing and counts nothing twice', async () => {
    const store = createMemoryStore()
    const clean = createCrashingStore(store)
    await play(store, clean)
    const batches = clean.count()
    assert.ok(batches >= 25, `only ${batches} batches`)
    for (let at = 1; at <= batches; at += 1)
      for (const mode of ['before', 'after'] as const) {
        const base = createMemoryStore()
        const crashing = createCrashingStore(base, mode, at)
        await play(base, crashing).catch(cause => {
          throw new Error(`death ${mode} batch ${at} of ${batches}`, { cause })
        })
        assert.ok(crashing.count() >= at, `batch ${at} of ${batches} was never reached`)
      }
  })

  it('holds on disk too', () =>
    withDirectory(async dir => {
      for (const at of [3, 8, 14, 20, 25]) {
        const base = await openLevelStore(join(dir, String(at)))
        await play(base, createCrashingStore(base, at % 2 === 0 ? 'after' : 'before', at))
        await base.close()
      }
    }))

  it('says that it failed, and refuses everything from then on', async () => {
    const base = createMemoryStore()
    const house = await openHouse({ store: base })
    try {
      await house.restart(createCrashingStore(base, 'before', 1))
      await assert.rejects(house.coordinator.submit(good), error => isCode(error, 'store-failed'))
      assert.equal(house.failures.length, 1)
      await assert.rejects(house.coordinator.submit(good), error => isCode(error, 'store-failed'))
      await assert.rejects(house.volunteer('any').hello(), error => isCode(error, 'BUSY'))
    } finally {
      await house.close()
    }
  })

  it('does not start on a store that fails, and starts on the same data later', async () => {
    const base = createMemoryStore()
    await assert.rejects(openHouse({ store: createCrashingStore(base, 'before', 1) }), /died/)
    await (await openHouse({ store: base })).close()
  })
})
