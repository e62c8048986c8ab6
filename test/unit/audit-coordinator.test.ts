import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Audit, auditLog } from '../../src/attest/audit/audit.ts'
import { askWhy } from '../../src/attest/audit/why.ts'
import type { CoordinatorOptions } from '../../src/coordinator/config.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { isCode } from '../../src/errors.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { fileRequest, type House, withHouse } from '../helpers/coordinator-house.ts'
import { createMemoryDisk } from '../helpers/crashing-disk.ts'
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

/**
 * A real coordinator with its log on a disk in memory, and what a stranger makes of that log.
 * @param config read anew at each restart
 */
async function withAudited(
  config: Partial<CoordinatorOptions>,
  use: (house: House, audit: () => Promise<Audit>, source: Parameters<typeof auditLog>[0]) => Promise<void>,
): Promise<void> {
  const disk = createMemoryDisk()
  const logFiles = await openTileFiles('/log', disk)
  const source = { fetch: async (path: string) => disk.read(`/log/${path}`) }
  await withHouse({ config, deps: { logFiles } }, house =>
    use(house, () => auditLog(source, { key: house.coordinator.logKey }), source),
  )
}

async function workAll(
  house: House,
  jobs: readonly string[],
  volunteers: readonly TestVolunteer[],
  says: (volunteer: TestVolunteer) => typeof honestRawData,
): Promise<void> {
  const records = openRecords(house.store)
  for (let round = 0; round < 40; round += 1) {
    const found = await Promise.all(jobs.map(job => records.jobs.get(job)))
    if (found.every(job => job?.phase === 'reported' || job?.phase === 'unresolved')) return
    for (const volunteer of volunteers) await workOnce(volunteer, says(volunteer))
    await house.clock.advance(1_000)
  }
  assert.fail('jobs are left after 40 rounds')
}

const failuresOf = ({ faults }: Audit) =>
  faults.map(({ check, leaf, detail }) => `${check} ${leaf}: ${detail}`)

describe('audit of a real coordinator', () => {
  it('finds nothing wrong in the log of one that weighs, checks, restarts and catches liars', () =>
    withAudited(
      { founders: peers('founder', 9), referees: peers('referee', 5), knownPerMille: 300 },
      async (house, audit, source) => {
        const volunteers: TestVolunteer[] = []
        for (const name of [...names('founder', 9), ...names('referee', 5), ...names('newcomer', 3)])
          volunteers.push(house.volunteer(name))
        const ring = volunteers.slice(0, 2)
        const jobs: string[] = []
        for (let round = 0; round < 4; round += 1) {
          for (const volunteer of volunteers) await volunteer.hello()
          const submitted: string[] = []
          for (const name of ['alpha', 'beta'])
            submitted.push(
              await house.coordinator.submit(fileRequest(round % 2 === 0 ? name : `${name}-${round}`)),
            )
          await house.clock.advance(3_000)
          await workAll(house, submitted, volunteers, volunteer => {
            if (round === 3 && volunteer === volunteers[5]) return lyingRawData
            return round >= 1 && ring.includes(volunteer) ? ringRawData : honestRawData
          })
          jobs.push(...submitted)
          if (round === 1) await house.restart()
          await house.clock.advance(10 * 60_000)
        }
        await house.clock.advance(10_000)
        const found = await audit()
        assert.deepEqual(failuresOf(found), [])
        assert.ok(found.statistics.jobs.accepted >= 5, JSON.stringify(found.statistics.jobs))
        const strikes = [...found.state.book.members()].filter(member => member.strikes > 0)
        assert.ok(strikes.length > 0, 'no liar was caught')
        const [job] = jobs
        const { answers } = await askWhy(source, job ?? '', { key: house.coordinator.logKey })
        assert.equal(answers[0]?.about, 'job')
      },
    ))

  it('finds nothing wrong where referees are dismissed, whose leases end with that', async () => {
    const referees = peers('referee', 6)
    const config = { founders: peers('founder', 9), referees, knownPerMille: 0 }
    await withAudited(config, async (house, audit) => {
      const founders = names('founder', 9).map(name => house.volunteer(name))
      const others = names('referee', 6).map(name => house.volunteer(name))
      const helloAll = async () => {
        for (const volunteer of [...founders, ...others]) await volunteer.hello()
      }
      await helloAll()
      const job = await house.coordinator.submit(fileRequest('disputed'))
      await house.clock.advance(3_000)
      let liars = 1
      for (const volunteer of founders)
        liars -= (await workOnce(volunteer, liars > 0 ? lyingRawData : honestRawData)).length
      const held: [volunteer: TestVolunteer, lease: string, envelope: Envelope][] = []
      for (const referee of others)
        for (const { id, job } of await referee.lease())
          held.push([referee, id, await referee.attest(honestRawData(referee, job))])
      assert.equal(held.length, 2, 'two referees at first')

      const [gone] = held[0] ?? assert.fail()
      config.referees = referees.filter(one => one !== gone.peerId)
      await house.restart()
      await helloAll()
      for (const [volunteer, lease, envelope] of held) {
        const handIn = volunteer.handIn(lease, envelope)
        if (volunteer === gone) await assert.rejects(handIn, error => isCode(error, 'STALE_LEASE'))
        else await handIn
      }
      await house.clock.advance(2_000)
      await workAll(house, [job], [...others, ...founders], () => honestRawData)
      await house.clock.advance(10_000)
      const { seats, phase } = (await openRecords(house.store).jobs.get(job)) ?? assert.fail()
      const refereed = seats.filter(seat => seat.role === 'referee' && seat.state === 'submitted')
      assert.equal(phase, 'reported')
      assert.ok(refereed.length >= 2 && refereed.every(seat => seat.volunteer !== gone.peerId))
      const found = await audit()
      assert.deepEqual(failuresOf(found), [])
      assert.equal(found.state.book.isReferee(gone.peerId), false)
    })
  })

  it('finds nothing wrong where nobody is weighed', () =>
    withAudited({}, async (house, audit) => {
      const volunteers = names('volunteer', 8).map(name => house.volunteer(name))
      for (const volunteer of volunteers) await volunteer.hello()
      const jobs = [
        await house.coordinator.submit(fileRequest('one')),
        await house.coordinator.submit(fileRequest('two')),
      ]
      await workAll(house, jobs, volunteers, volunteer =>
        volunteer === volunteers[0] ? lyingRawData : honestRawData,
      )
      await house.clock.advance(10_000)
      const found = await audit()
      assert.deepEqual(failuresOf(found), [])
      assert.equal(found.statistics.jobs.accepted, 2)
    }))
})
