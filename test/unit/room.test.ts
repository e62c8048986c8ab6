import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRecords } from '../../src/coordinator/records.ts'
import { PytiError } from '../../src/errors.ts'
import { createMemoryBlobs } from '../../src/store/memory-blobs.ts'
import { coordinatorPeer, fileRequest, type House, withHouse } from '../helpers/coordinator-house.ts'
import { arrive, only, status, told } from '../helpers/expect.ts'
import { settled } from '../helpers/manual-clock.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { honestRawData } from '../helpers/test-volunteer.ts'

/** A disk that is full or not, as the test says. */
function changingDisk() {
  const disk = { full: false, looks: 0 }
  const lackOfRoom = async () => {
    disk.looks += 1
    return disk.full ? new PytiError('host-out-of-disk', 'no space left on the disk: /data') : undefined
  }
  return { disk, deps: { lackOfRoom } }
}

const noRoom = told('BUSY', /no room on its disk/)
/** Longer than an answer about the disk holds. */
const wait = (house: House) => house.clock.advance(11_000)

describe('a coordinator without room on its disk', () => {
  it('takes no new work and says why, ends what is under way, and goes on when there is room', async () => {
    const { disk, deps } = changingDisk()
    await withHouse({ config: { quorum: 1 }, deps }, async house => {
      const job = await house.coordinator.submit(fileRequest('begun'))
      await house.coordinator.submit(fileRequest('waiting'))
      const volunteer = await arrive(house, 'a')
      const lease = only(await volunteer.lease())
      disk.full = true
      await wait(house)
      await assert.rejects(volunteer.lease(), noRoom)
      await assert.rejects(house.coordinator.submit(fileRequest('new')), noRoom)
      const { subject, origin, tasks } = fileRequest('new')
      const request = { subject, origin, tasks: [...tasks] }
      await assert.rejects(volunteer.network.request(coordinatorPeer, 'submit', request), noRoom)
      await volunteer.handIn(lease.id, await volunteer.attest(honestRawData(volunteer, lease.job)))
      await wait(house)
      assert.equal((await status(house, job)).phase, 'reported')
      disk.full = false
      await wait(house)
      assert.equal((await volunteer.lease()).length, 1)
      await house.coordinator.submit(fileRequest('new'))
    })
  })

  it('follows no uploads meanwhile, and misses none', async () => {
    const { disk, deps } = changingDisk()
    disk.full = true
    let polls = 0
    const feed = {
      async poll() {
        polls += 1
        return { cursor: '1', uploads: [fileRequest('new').subject] }
      },
    }
    await withHouse({ deps: { ...deps, feed } }, async house => {
      await house.clock.advance(120_000)
      assert.equal(polls, 0)
      disk.full = false
      await house.clock.advance(60_000)
      await settled()
      assert.ok(polls > 0)
    })
  })

  it('passes nobody over whose turn it cannot give, and everybody has the whole turn afterwards', async () => {
    const { disk, deps } = changingDisk()
    const names = Array.from({ length: 6 }, (_, n) => `founder ${n}`)
    const founders = names.map(name => testIdentity(name).peerId)
    await withHouse({ config: { founders, knownPerMille: 0 }, deps }, async house => {
      for (const name of names) await house.volunteer(name).hello()
      const job = await house.coordinator.submit(fileRequest('sample'))
      const draw = async () => (await openRecords(house.store).jobs.get(job))?.draw
      for (let second = 0; second < 60 && !(await draw()); second++) await house.clock.advance(1_000)
      assert.deepEqual((await draw())?.passed, [])
      disk.full = true
      await house.clock.advance(10 * 60_000)
      assert.deepEqual((await draw())?.passed, [])
      disk.full = false
      await house.clock.advance(55_000)
      assert.deepEqual((await draw())?.passed, [])
      await house.clock.advance(30_000)
      assert.notDeepEqual((await draw())?.passed, [])
      assert.equal((await status(house, job)).phase, 'queued')
    })
  })

  it('looks at the disk now and then, not at every command', async () => {
    const { disk, deps } = changingDisk()
    await withHouse({ deps }, async house => {
      const volunteer = await arrive(house, 'a')
      for (let times = 0; times < 50; times++) await volunteer.lease()
      assert.equal(disk.looks, 1)
    })
  })

  it('that meets a full disk while it takes raw data says so: the volunteer may ask again', async () => {
    let full = true
    const blobs = createMemoryBlobs()
    const failing = {
      ...blobs,
      async put(...args: Parameters<typeof blobs.put>) {
        if (full) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        return blobs.put(...args)
      },
    }
    await withHouse({ blobs: failing, config: { quorum: 1 } }, async house => {
      const job = await house.coordinator.submit(fileRequest('begun'))
      const volunteer = await arrive(house, 'a')
      const lease = only(await volunteer.lease())
      const envelope = await volunteer.attest(honestRawData(volunteer, lease.job))
      await assert.rejects(volunteer.handIn(lease.id, envelope), told('BUSY', /takes nothing more/))
      full = false
      await volunteer.handIn(lease.id, envelope)
      await wait(house)
      assert.equal((await status(house, job)).phase, 'reported')
    })
  })
})
