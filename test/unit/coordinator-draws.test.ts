import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { auditLog } from '../../src/attest/audit/audit.ts'
import { rulesOf } from '../../src/consensus/classes.ts'
import { seedOf } from '../../src/consensus/draw.ts'
import { coordinatorConfig } from '../../src/coordinator/config.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { type JobEvent, newJobRecord, submittedSeats } from '../../src/coordinator/state.ts'
import { step } from '../../src/coordinator/step.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { fileRequest, type House, openHouse, withHouse } from '../helpers/coordinator-house.ts'
import { createMemoryDisk } from '../helpers/crashing-disk.ts'
import { createCrashingStore } from '../helpers/crashing-store.ts'
import { testIdentity, testJob } from '../helpers/raw-data.ts'
import { honestRawData, ringRawData, type TestVolunteer, workOnce } from '../helpers/test-volunteer.ts'

const names = (kind: string, count: number) => Array.from({ length: count }, (_, n) => `${kind} ${n}`)
const peers = (kind: string, count: number) => names(kind, count).map(name => testIdentity(name).peerId)

async function record(house: House, job: string) {
  return (await openRecords(house.store).jobs.get(job)) ?? assert.fail(`no job ${job}`)
}

const isOver = async (house: House, job: string) =>
  ['reported', 'unresolved'].includes((await record(house, job)).phase)

async function work(
  house: House,
  job: string,
  volunteers: readonly TestVolunteer[],
  says: (volunteer: TestVolunteer) => typeof honestRawData = () => honestRawData,
): Promise<void> {
  for (let round = 0; round < 60 && !(await isOver(house, job)); round += 1) {
    await house.clock.advance(1_000)
    for (const volunteer of volunteers) await workOnce(volunteer, says(volunteer))
  }
  assert.ok(await isOver(house, job), `it is still ${(await record(house, job)).phase}`)
}

describe('draws of a real coordinator', () => {
  it('come from the first beacon that could be used, wherever the process stops in between', async () => {
    const drawn = new Set<string>()
    for (let at = 5; at < 16; at += 1) {
      const inner = createMemoryStore()
      const disk = createMemoryDisk()
      const logFiles = await openTileFiles('/log', disk)
      const store = createCrashingStore(inner, 'after', at)
      const house = await openHouse({ store, config: { founders: peers('founder', 8) }, deps: { logFiles } })
      try {
        for (const name of names('founder', 8)) await house.volunteer(name).hello()
        const jobs = ['one', 'two'].map(name => house.coordinator.submit(fileRequest(name)))
        const ids = await Promise.all(jobs)
        await house.clock.advance(4_000)
        await house.restart(inner)
        await house.clock.advance(4_000)
        const draws = []
        for (const id of ids)
          draws.push((await record(house, id)).draw ?? assert.fail(`no draw, crash at ${at}`))
        const [one, two] = draws
        assert.equal(one?.beacon, two?.beacon, `both were under the same beacon; crash at ${at}`)
        drawn.add(`${one?.roster} ${one?.beacon}`)
        const source = { fetch: async (path: string) => disk.read(`/log/${path}`) }
        const { faults } = await auditLog(source, { key: house.coordinator.logKey })
        assert.deepEqual(faults, [], `crash at ${at}`)
      } finally {
        await house.close()
      }
    }
    assert.ok(drawn.size > 0)
  })

  it('are for the platform of most operators: a ring that claims another one gets no job to itself', async () => {
    const config = { founders: peers('founder', 12), knownPerMille: 0, passMs: 5_000 }
    await withHouse({ config }, async house => {
      const volunteers = names('founder', 12).map(name => house.volunteer(name))
      const ring = new Set(volunteers.slice(0, 4).map(({ peerId }) => peerId))
      for (const volunteer of volunteers)
        await volunteer.hello(ring.has(volunteer.peerId) ? { cpu: 'x86-64-v9' } : {})
      for (const name of names('sample', 6)) {
        const job = await house.coordinator.submit(fileRequest(name.replace(' ', '-')))
        await work(house, job, volunteers, volunteer =>
          ring.has(volunteer.peerId) ? ringRawData : honestRawData,
        )
        const { phase, draw, seats } = await record(house, job)
        assert.deepEqual([phase, draw?.platform], ['reported', 'uml x86-64-v3'])
        assert.ok(seats.every(seat => !ring.has(seat.volunteer)))
      }
    })
  })

  it('wait until a roster has enough operators on one platform', async () => {
    await withHouse({ config: { founders: peers('founder', 4), knownPerMille: 0 } }, async house => {
      const volunteers = names('founder', 4).map(name => house.volunteer(name))
      for (const [at, volunteer] of volunteers.entries())
        await volunteer.hello(at < 2 ? {} : { cpu: `other ${at}`.replace(' ', '-') })
      const job = await house.coordinator.submit(fileRequest('sample'))
      await house.clock.advance(10_000)
      assert.equal((await record(house, job)).draw, undefined)
      for (const volunteer of volunteers) await volunteer.hello()
      await house.clock.advance(11 * 60_000)
      assert.equal((await record(house, job)).draw?.platform, 'uml x86-64-v3')
      assert.ok((await record(house, job)).rules.seats >= 3)
    })
  })

  it('end all jobs, those with a hidden seat that the roster cannot fill too', async () => {
    await withHouse({ config: { founders: peers('founder', 3), knownPerMille: 0 } }, async house => {
      const volunteers = names('founder', 3).map(name => house.volunteer(name))
      for (const volunteer of volunteers) await volunteer.hello()
      const phases = new Set<string>()
      for (const name of names('p', 8)) {
        const job = await house.coordinator.submit(fileRequest(name.replace(' ', '')))
        await work(house, job, volunteers)
        const ended = await record(house, job)
        const { phase, rules, reason = '' } = ended
        phases.add(phase)
        assert.equal(phase, rules.seats > 3 ? 'unresolved' : 'reported')
        assert.equal(submittedSeats(ended).length, 3)
        if (phase === 'unresolved') assert.match(reason, /the roster has nobody left for another seat/)
      }
      assert.deepEqual([...phases].sort(), ['reported', 'unresolved'])
    })
  })
})

it('a job whose answer is known stays of class K whatever its raw data says', () => {
  const { hashSeed: _, ...profile } = testJob().profile
  const config = coordinatorConfig({ profiles: [profile] })
  const [volunteer = ''] = peers('founder', 1)
  const known = {
    of: sha256('original'),
    answer: sha256('answer'),
    trial: false,
    without: [],
    platform: 'uml x86-64-v3',
  }
  const made = newJobRecord(
    testJob(),
    0,
    rulesOf('K', { extra: 0, spotReferees: 0, referees: 0 }),
    '00'.repeat(16),
    { known },
  )
  const platform = 'uml x86-64-v3'
  const draw = { task: 0, roster: 0, beacon: 0, seed: seedOf('00', made.id), platform, referees: 5 }
  const lease = '11'.repeat(16)
  const seat = { volunteer, role: 'seat' as const, operator: volunteer, weight: 32_000, platform }
  const submission = {
    attestation: sha256('x'),
    rawData: { sha256: sha256('y'), size: 1 },
    accusing: true,
  }
  const events: JobEvent[] = [
    { type: 'drawn', draw: { ...draw, shadows: 0, passed: [] } },
    { type: 'lease-granted', lease, deadline: 10, seat },
    { type: 'raw-data-accepted', lease, submission, ballot: { sections: {}, tests: {} } },
  ]
  const job = events.reduce((before, event) => step(before, event, 1, config).job, made)
  assert.deepEqual([job.rules.jobClass, job.phase, job.wanted], ['K', 'agreed', 0])
})
