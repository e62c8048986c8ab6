import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sha256 } from '../../src/wire/canonical.ts'
import type { BackendDemand } from '../../src/wire/job.ts'
import { limits } from '../../src/wire/limits.ts'
import { coordinatorPeer, fileRequest, withHouse } from '../helpers/coordinator-house.ts'
import { arrive, only, status, told } from '../helpers/expect.ts'
import { settled } from '../helpers/manual-clock.ts'
import { testJob } from '../helpers/raw-data.ts'
import { collect } from '../helpers/store-contract.ts'
import { workOnce } from '../helpers/test-volunteer.ts'

const file = fileRequest('sample')
const { hashSeed: _, ...profile } = testJob().profile
const old = { ...profile, python: '3.11', image: sha256('image with 3.11') }

describe('submit, status, report and blobs', () => {
  const bytes = new TextEncoder().encode('a distribution that is not on any index yet')
  const unpublished = {
    ...fileRequest2('sample'),
    origin: 'coordinator' as const,
    subject: { ...file.subject, sha256: sha256(bytes), size: bytes.length },
  }

  it('pulls a file that is not on the index and serves it to volunteers', () =>
    withHouse({}, async house => {
      const submitter = house.volunteer('submitter')
      submitter.offer(bytes)
      const { job } = await submitter.network.request(coordinatorPeer, 'submit', unpublished)
      assert.equal((await status(house, job)).phase, 'queued')
      const volunteer = await arrive(house, 'a')
      const { subject } = only(await volunteer.lease()).job
      const chunks: Uint8Array[] = []
      for await (const chunk of volunteer.network.fetchBlob(coordinatorPeer, subject)) chunks.push(chunk)
      assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), bytes)
    }))

  it('refuses a file that the submitter does not have, is of another size or too large', () =>
    withHouse({}, async house => {
      const { network, offer } = house.volunteer('submitter')
      const ask = (subject: Partial<typeof file.subject>) =>
        network.request(coordinatorPeer, 'submit', {
          ...unpublished,
          subject: { ...unpublished.subject, ...subject },
        })
      await assert.rejects(ask({}), told('BAD_REQUEST'))
      await assert.rejects(ask({ size: limits.distributionBytes + 1 }), told('TOO_LARGE'))
      offer(bytes)
      await assert.rejects(ask({ size: bytes.length - 1 }), told('BAD_REQUEST'))
      await ask({})
      await assert.rejects(ask({ size: bytes.length - 1 }), told('BAD_REQUEST', /has .* bytes, not/))
      await assert.rejects(
        house.coordinator.submit({ ...unpublished, subject: file.subject }),
        told('file-missing'),
      )
    }))

  it('gives the open job when the same is asked again, and a new one when it has ended', () =>
    withHouse({}, async house => {
      const [first, again] = await Promise.all([
        house.coordinator.submit(file),
        house.coordinator.submit(file),
      ])
      assert.equal(first, again)
      const narrower = await house.coordinator.submit({ ...file, tasks: ['import', 'install'] })
      assert.notEqual(narrower, first)
      assert.equal(await house.coordinator.submit({ ...file, tasks: ['install', 'import'] }), narrower)
      assert.notEqual(await house.coordinator.submit({ ...file, taskSeconds: 600 }), first)
      for (const name of ['a', 'b', 'c']) {
        const volunteer = await arrive(house, name)
        for (const lease of await volunteer.lease(4)) await volunteer.release(lease.id, 'file-missing')
      }
      assert.notEqual(await house.coordinator.submit(file), first)
    }))

  it('makes a job of its own for each Python and each demand of a backend', () =>
    withHouse({ config: { profiles: [profile, old] } }, async house => {
      const { network } = house.volunteer('submitter')
      const ask = async (change: { python?: string; backend?: BackendDemand }) =>
        (await network.request(coordinatorPeer, 'submit', { ...fileRequest2('sample'), ...change })).job
      const jobs = [
        await ask({}),
        await ask({ python: '3.11' }),
        await ask({ backend: 'tcg' }),
        await ask({ python: '3.11', backend: 'tcg' }),
      ]
      assert.equal(new Set(jobs).size, 4)
      assert.equal(await ask({ python: '3.13', backend: 'any' }), jobs[0])
      assert.equal(await ask({ backend: 'tcg', python: '3.11' }), jobs[3])
      const volunteer = house.volunteer('a')
      await volunteer.hello({ backends: ['tcg'] })
      const profiles = (await volunteer.lease(4)).map(({ job }) => job.profile)
      assert.deepEqual(
        profiles.map(({ python, backend, image }) => [python, backend, image]),
        [
          ['3.13', 'any', profile.image],
          ['3.11', 'any', old.image],
          ['3.13', 'tcg', profile.image],
          ['3.11', 'tcg', old.image],
        ],
      )
    }))

  it('refuses a Python it has no guests for, saying which it has', () =>
    withHouse({ config: { profiles: [profile, old] } }, async house => {
      const { network } = house.volunteer('submitter')
      const ask = (python: string) =>
        network.request(coordinatorPeer, 'submit', { ...fileRequest2('sample'), python })
      await assert.rejects(ask('3.9'), told('BAD_REQUEST', /Python 3\.9 here, only 3\.13, 3\.11/))
      for (const python of ['2.7', '3', '3.13.5', '3.13 ', '']) await assert.rejects(ask(python), python)
    }))

  it('refuses more jobs than it can hold', () =>
    withHouse({ config: { maxJobs: 2 } }, async house => {
      await house.coordinator.submit(fileRequest('a1'))
      await house.coordinator.submit(fileRequest('b1'))
      const { network } = house.volunteer('submitter')
      await assert.rejects(network.request(coordinatorPeer, 'submit', fileRequest2('c1')), told('BUSY'))
      await network.request(coordinatorPeer, 'submit', fileRequest2('a1'))
    }))

  it('says how many volunteers a job still lacks', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit(file)
      const lacking = async () => (await status(house, job)).wantsVolunteers
      assert.equal(await lacking(), 3)
      const volunteer = await arrive(house, 'a')
      assert.equal(await lacking(), 2)
      await volunteer.lease()
      assert.equal(await lacking(), 2)
      await arrive(house, 'b')
      await (await arrive(house, 'c')).hello({ slots: 0 })
      assert.equal(await lacking(), 1)
      house.hub.disconnect(volunteer.peerId)
      await settled()
      await house.clock.advance(20_000)
      assert.equal(await lacking(), 2)
    }))

  it('says which backend a job waits for', () =>
    withHouse({}, async house => {
      const job = await house.coordinator.submit({ ...file, backend: 'kvm' })
      const waits = async () => {
        const { phase, wantsVolunteers, reason } = await status(house, job)
        return [phase, wantsVolunteers, reason]
      }
      const a = await arrive(house, 'a')
      assert.deepEqual(await waits(), ['queued', 3, 'needs 3 volunteers with kvm'])
      assert.deepEqual(await a.lease(), [])
      for (const name of ['b', 'c']) await house.volunteer(name).hello({ backends: ['kvm'] })
      await house.volunteer('resting').hello({ backends: ['kvm'], slots: 0 })
      assert.deepEqual(await waits(), ['queued', 1, 'needs a volunteer with kvm'])
      await a.hello({ backends: ['uml', 'kvm'] })
      assert.deepEqual(await waits(), ['queued', 0, undefined])
      await a.lease()
      assert.deepEqual(await waits(), ['leased', 0, undefined])
    }))

  it('finds reports by digest and by name, newest first', () =>
    withHouse({}, async house => {
      const volunteers = [await arrive(house, 'a'), await arrive(house, 'b'), await arrive(house, 'c')]
      const jobs: string[] = []
      for (let n = 0; n < 3; n += 1) {
        jobs.unshift(await house.coordinator.submit(file))
        for (const volunteer of volunteers) await workOnce(volunteer)
        await house.clock.advance(10)
      }
      const ask = async (query: { sha256: string } | { filename: string }) =>
        (await volunteers[0]?.network.request(coordinatorPeer, 'report', query))?.reports ?? assert.fail()
      const { sha256: digest, filename } = file.subject
      assert.deepEqual(
        (await ask({ sha256: digest })).map(({ job }) => job),
        jobs,
      )
      const [newest] = await ask({ filename })
      assert.equal(newest?.job, jobs[0])
      assert.equal(await house.blobs.size(newest?.bundle.sha256 ?? ''), newest?.bundle.size)
      assert.deepEqual(await ask({ sha256: sha256('unknown') }), [])
      const [[key] = assert.fail('no report')] = await collect(
        house.store.entries('report/name/', { limit: 1 }),
      )
      const intoKey = key.split('/').slice(2, 4).join('/')
      for (const name of ['', 'sample', '../sample-1.0.tar.gz', intoKey, 'sample-1.0.tar.g'])
        assert.deepEqual(await ask({ filename: name }), [], name)
    }))

  it('knows no other jobs and blobs', () =>
    withHouse({}, async house => {
      const { network } = house.volunteer('a')
      await assert.rejects(
        network.request(coordinatorPeer, 'status', { job: sha256('x') }),
        told('NOT_FOUND'),
      )
      const fetch = network
        .fetchBlob(coordinatorPeer, { sha256: sha256('x'), size: 1 })
        [Symbol.asyncIterator]()
      await assert.rejects(fetch.next(), told('blob-missing'))
    }))

  it('publishes the number of open seats when it changes', () =>
    withHouse({}, async house => {
      const volunteer = await arrive(house, 'a')
      const stop = new AbortController()
      const seen: number[] = []
      const sequences: number[] = []
      const listening = (async () => {
        for await (const { open, sequence } of volunteer.network.adverts(coordinatorPeer, {
          signal: stop.signal,
        })) {
          seen.push(open)
          sequences.push(sequence)
        }
      })()
      await settled()
      await house.coordinator.submit(file)
      await settled()
      const lease = only(await volunteer.lease())
      await settled()
      await volunteer.release(lease.id, 'shutdown')
      await settled()
      stop.abort()
      await listening
      assert.deepEqual(seen, [0, 3, 2, 3])
      assert.deepEqual(
        sequences,
        [...new Set(sequences)].sort((a, b) => a - b),
      )
    }))

  it('takes nothing more once it stops', () =>
    withHouse({}, async house => {
      const volunteer = await arrive(house, 'a')
      await house.coordinator.stop()
      await assert.rejects(volunteer.lease(), told('BUSY', /stopping/))
    }))
})

function fileRequest2(name: string) {
  const { subject, tasks } = fileRequest(name)
  return { subject, origin: 'index' as const, tasks: [...tasks] }
}
