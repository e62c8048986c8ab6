import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PytiError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createLogWatch } from '../../src/volunteer/log-watch.ts'
import { type JobTools, runJob } from '../../src/volunteer/run-job.ts'
import { Volunteer, type VolunteerEvent } from '../../src/volunteer/volunteer.ts'
import type { GuestEvent, GuestPlan } from '../../src/wire/guest.ts'
import { type Backend, backendFor, type Job, taskNames } from '../../src/wire/job.ts'
import { observers, RawData } from '../../src/wire/raw-data.ts'
import {
  coordinatorPeer,
  fileRequest,
  type House,
  seededRandom,
  withHouse,
} from '../helpers/coordinator-house.ts'
import { status } from '../helpers/expect.ts'
import { createEvidence } from '../helpers/fake-log.ts'
import { fakeTools, vmOutput } from '../helpers/fake-tools.ts'
import { settled, until } from '../helpers/manual-clock.ts'
import { clocksJob, testIdentity, testJob } from '../helpers/raw-data.ts'

function join(house: House, name: string, tools: JobTools, slots = 1, backends: Backend[] = ['uml']) {
  const identity = testIdentity(name)
  const events: VolunteerEvent[] = []
  const network = house.hub.join(identity.peerId)
  const memory = createMemoryStore()
  const watch = createLogWatch({
    network,
    coordinator: coordinatorPeer,
    memory,
    evidence: createEvidence(),
    clock: house.clock,
    log: silentLogger,
  })
  const volunteer = new Volunteer(
    {
      network,
      watch,
      coordinator: coordinatorPeer,
      signer: identity,
      tools,
      clock: house.clock,
      random: seededRandom(name),
      log: silentLogger,
      onEvent: event => events.push(event),
    },
    { slots, backends, cpu: 'x86-64-v3' },
  )
  volunteer.start()
  return { volunteer, events, peerId: identity.peerId, memory }
}

const phase = async (house: House, job: string) => (await house.coordinator.status(job))?.phase

describe('volunteers and their coordinator', () => {
  it('three volunteers take leases, hand in raw data with its log, and a report comes out', () =>
    withHouse({}, async house => {
      const three = ['a', 'b', 'c'].map(name => join(house, name, fakeTools()))
      await settled()
      const job = await house.coordinator.submit(fileRequest('thing'))
      await until(async () => (await phase(house, job)) === 'reported', 'a report')
      assert.ok(three.every(({ events }) => events.some(event => event.event === 'submitted')))
      await Promise.all(three.map(({ volunteer }) => volunteer.stop()))
    }))

  it('a job that demands tcg goes to those that have it and no other; one that nobody can do waits and says so', () =>
    withHouse({ config: { quorum: 1 } }, async house => {
      const ran: string[] = []
      const machine = (name: string, backends: Backend[]) => {
        const tools = fakeTools({
          async runVm(job) {
            const backend = backendFor(job.profile, backends)
            assert.ok(backend, `${name} got a job it cannot run`)
            ran.push(`${job.subject.project} on ${name}: ${backend}`)
            return vmOutput(job, undefined, backend)
          },
        })
        return join(house, name, tools, 1, backends).volunteer
      }
      const fast = machine('fast', ['uml'])
      await settled()
      const ask = (name: string, backend: Backend) => house.coordinator.submit(fileRequest(name, { backend }))
      const jobs = { slow: await ask('slow', 'tcg'), hard: await ask('hard', 'kvm') }
      await settled()
      for (const [job, backend] of [
        [jobs.slow, 'tcg'],
        [jobs.hard, 'kvm'],
      ] as const) {
        const { phase, reason, seats } = await status(house, job)
        assert.deepEqual([phase, reason, seats], ['queued', `needs a volunteer with ${backend}`, []])
      }
      const both = machine('both', ['uml', 'tcg'])
      await until(async () => (await phase(house, jobs.slow)) === 'reported', 'a report')
      const any = await house.coordinator.submit(fileRequest('any1'))
      await until(async () => (await phase(house, any)) === 'reported', 'a second report')
      assert.equal(ran[0], 'slow on both: tcg')
      assert.match(ran[1] ?? '', /^any1 on (?:fast|both): uml$/)
      assert.equal(ran.length, 2)
      const { phase: hard, reason } = await status(house, jobs.hard)
      assert.deepEqual([hard, reason], ['queued', 'needs a volunteer with kvm'])
      await Promise.all([fast.stop(), both.stop()])
    }))

  it('trouble of its own is given back with its reason and is no vote', () =>
    withHouse({}, async house => {
      const { events, volunteer } = join(
        house,
        'a',
        fakeTools({
          runVm: () =>
            Promise.reject(
              new PytiError('guest-silent', 'nothing was said', { details: { stage: 'booting' } }),
            ),
        }),
      )
      const job = await house.coordinator.submit(fileRequest('thing'))
      await until(() => events.some(event => event.event === 'released'), 'a release')
      assert.deepEqual(
        events.flatMap(event => (event.event === 'released' ? [event.reason] : []))[0],
        'vm-crash',
      )
      assert.equal(
        (await house.coordinator.status(job))?.seats.some(seat => seat.state === 'submitted'),
        false,
      )
      await volunteer.stop()
    }))

  it('a full disk is no vote: the lease goes back with the reason, and none is taken for a while', () =>
    withHouse({}, async house => {
      let full = true
      const enospc = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
      const { prepare } = fakeTools()
      const { events, volunteer } = join(
        house,
        'a',
        fakeTools({ prepare: (...args) => (full ? Promise.reject(enospc()) : prepare(...args)) }),
      )
      const job = await house.coordinator.submit(fileRequest('thing'))
      const count = (kind: VolunteerEvent['event']) => events.filter(({ event }) => event === kind).length
      await until(() => count('released') === 1, 'a release')
      const [released] = events.flatMap(event => (event.event === 'released' ? [event.reason] : []))
      assert.equal(released, 'host-out-of-disk')
      assert.deepEqual(
        events.flatMap(event => (event.event === 'paused' ? [event.code] : [])),
        ['host-out-of-disk'],
      )
      await house.clock.advance(55_000)
      assert.deepEqual([count('leased') + count('released'), count('paused')], [1, 1])
      full = false
      await house.clock.advance(10_000)
      await until(() => count('submitted') === 1, 'raw data')
      assert.equal(count('resumed'), 1)
      const states = (await status(house, job)).seats.map(seat => seat.state)
      assert.deepEqual(states, ['released', 'submitted'])
      await volunteer.stop()
    }))

  it('no lease is taken while there is no room; it is said once, and again when there is', () =>
    withHouse({}, async house => {
      let lack: PytiError | undefined = new PytiError('host-out-of-disk', 'no space left', {
        hint: 'free some',
      })
      const { events, volunteer } = join(house, 'a', fakeTools({ lackOfRoom: async () => lack }))
      const job = await house.coordinator.submit(fileRequest('thing'))
      for (let minutes = 0; minutes < 10; minutes++) await house.clock.advance(60_000)
      const told = () => events.map(({ event }) => event).filter(event => /paused|resumed|stage/.test(event))
      assert.deepEqual(told(), ['paused'])
      assert.deepEqual((await status(house, job)).seats, [])
      lack = undefined
      await house.clock.advance(130_000)
      await until(() => events.some(({ event }) => event === 'submitted'), 'raw data')
      assert.deepEqual(told().slice(0, 2), ['paused', 'resumed'])
      await volunteer.stop()
    }))

  it('stopping gives the lease back at once', () =>
    withHouse({}, async house => {
      const { events, volunteer } = join(
        house,
        'a',
        fakeTools({
          prepare: (_job, { signal }) =>
            new Promise((_resolve, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
            ),
        }),
      )
      const job = await house.coordinator.submit(fileRequest('thing'))
      await until(() => events.some(event => event.event === 'stage'), 'work')
      await volunteer.stop()
      assert.deepEqual(
        (await house.coordinator.status(job))?.seats.map(seat => seat.state),
        ['released'],
      )
    }))

  it('a lease that runs out ends the work', () =>
    withHouse({}, async house => {
      let ended: unknown
      const { events, volunteer } = join(
        house,
        'a',
        fakeTools({
          prepare: (_job, { signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener(
                'abort',
                () => {
                  ended = signal.reason
                  reject(signal.reason)
                },
                { once: true },
              )
            }),
        }),
      )
      await house.coordinator.submit(fileRequest('thing'))
      await until(() => events.some(event => event.event === 'stage'), 'work')
      await house.clock.advance(2 * 3_600_000)
      await until(() => ended !== undefined, 'the end')
      assert.equal((ended as PytiError).code, 'lease-expired')
      await volunteer.stop()
    }))

  it('never works on more leases than it has slots', () =>
    withHouse({}, async house => {
      let running = 0
      let most = 0
      const { volunteer } = join(
        house,
        'a',
        fakeTools({
          async runVm(job) {
            most = Math.max(most, ++running)
            await settled()
            running--
            return vmOutput(job)
          },
        }),
        2,
      )
      for (const name of ['one', 'two', 'three', 'four', 'five'])
        await house.coordinator.submit(fileRequest(name))
      await until(() => most === 2 && running === 0, 'all work')
      assert.equal(most, 2)
      await volunteer.stop()
    }))
})

describe('one job', () => {
  const options = { signal: new AbortController().signal, onStage() {} }
  const breakOff = (stage: string, code = 'guest-ended') =>
    new PytiError(code, 'broke off', { details: { stage } })

  it('raw data is valid, canonical, and holds both halves', async () => {
    const job = testJob()
    const { rawData, blobs, attachments, rawDataSha256 } = await runJob(job, fakeTools(), options)
    assert.deepEqual(RawData.parse(rawData), rawData)
    assert.deepEqual(
      attachments.map(({ name }) => name),
      ['logs/build.txt'],
    )
    assert.ok(blobs.has(rawDataSha256))
  })

  it('an archive at fault starts no VM', async () => {
    const job = testJob()
    const tools = fakeTools({ runVm: () => assert.fail('a VM was started') })
    const prepared = await tools.prepare(job, options)
    const { rawData } = await runJob(
      job,
      {
        ...tools,
        prepare: async () => ({ ...prepared, intake: { ...prepared.intake, archive: 'truncated' } }),
      },
      options,
    )
    assert.equal(rawData.guest.volatile.backend, 'none')
    for (const task of job.tasks)
      assert.deepEqual(
        [rawData.tasks[task]?.stable.status, rawData.tasks[task]?.stable.reason],
        ['not-run', 'bad-input'],
      )
  })

  it('a guest that breaks off once while package code runs gets a second, fresh VM', async () => {
    let starts = 0
    const { rawData } = await runJob(
      testJob(),
      fakeTools({
        runVm: async job => {
          if (++starts === 1) throw breakOff('working')
          return vmOutput(job)
        },
      }),
      options,
    )
    assert.equal(starts, 2)
    assert.equal(rawData.tasks.install?.stable.status, 'passed')
  })

  for (const [name, runVm] of [
    ['breaks off', () => Promise.reject(breakOff('working'))],
    ['forges frames', () => Promise.reject(breakOff('working', 'bad-frame'))],
    ['hands over no record', async (job: Job) => vmOutput(job, '')],
    [
      'hands over a malformed record',
      async (job: Job) => vmOutput(job, '{"schema":"pyti.guest/3","tasks":{}}'),
    ],
  ] as const)
    it(`a guest that ${name} twice is tampered with: failed, never a pass`, async () => {
      const job = testJob()
      const { rawData } = await runJob(job, fakeTools({ runVm }), options)
      for (const task of job.tasks)
        assert.deepEqual(
          [rawData.tasks[task]?.stable.status, rawData.tasks[task]?.stable.reason],
          ['failed', 'tampered'],
        )
      assert.deepEqual(RawData.parse(rawData), rawData)
      assert.deepEqual(rawData.guest.stable.observers, [])
    })

  it('why a guest counts as tampered with is told however much the intake has to tell', async () => {
    const job = testJob()
    const tools = fakeTools({ runVm: () => Promise.reject(breakOff('working')) })
    const notes = Array<string>(100).fill('left out')
    const prepare: JobTools['prepare'] = async (...asked) => ({ ...(await tools.prepare(...asked)), notes })
    const { rawData } = await runJob(job, { ...tools, prepare }, options)
    assert.equal(rawData.intake.volatile.notes.length, 100)
    assert.notEqual(rawData.intake.volatile.notes[0], 'left out')
  })

  it('a bad archive starts no VM, and every task says so', async () => {
    const job = clocksJob()
    const tools = fakeTools()
    const prepared = await tools.prepare(job, options)
    const intake = { ...prepared.intake, archive: 'truncated' as const }
    const { rawData } = await runJob(
      job,
      { ...tools, prepare: async () => ({ ...prepared, intake }) },
      options,
    )
    assert.deepEqual(RawData.parse(rawData), rawData)
    assert.deepEqual(Object.keys(rawData.tasks).sort(), [...taskNames].sort())
    for (const entry of Object.values(rawData.tasks))
      assert.deepEqual([entry.stable.status, entry.stable.reason], ['not-run', 'bad-input'])
  })

  it('the plan has the network, the days and the seed of the job', async () => {
    const job = clocksJob([30, 3_650])
    let seen: Partial<GuestPlan> = {}
    const tools = fakeTools({
      async runVm(leased, plan) {
        seen = plan
        return vmOutput(leased)
      },
    })
    const { rawData } = await runJob(job, tools, options)
    assert.deepEqual([seen.network, seen.clockDays, seen.seed], ['dead', [30, 3_650], job.nonce])
    assert.deepEqual(rawData.guest.stable.observers, [...observers])
  })

  it("a guest that does not boot is this machine's trouble", () =>
    assert.rejects(
      runJob(
        testJob(),
        fakeTools({ runVm: () => Promise.reject(breakOff('booting', 'guest-silent')) }),
        options,
      ),
      { code: 'guest-silent' },
    ))

  it("the guest's ceiling on a task follows the backend that the job runs on", async () => {
    const seconds: number[] = []
    const tools = fakeTools({
      slowness: ({ profile }) => (profile.backend === 'tcg' ? 6 : 1),
      async runVm(job, plan) {
        seconds.push(plan.limits.taskSeconds)
        return vmOutput(job)
      },
    })
    const { profile } = testJob()
    for (const backend of ['any', 'tcg'] as const)
      await runJob(testJob({ profile: { ...profile, backend } }), tools, options)
    assert.deepEqual(seconds, [300, 1_800])
  })

  it('the plan says which groups could not be resolved', async () => {
    const job = testJob()
    const tools = fakeTools()
    const prepared = await tools.prepare(job, options)
    let incomplete: string[] = []
    await runJob(
      job,
      {
        ...tools,
        prepare: async () => ({
          ...prepared,
          intake: { ...prepared.intake, unresolved: [{ group: 'test', requirement: 'nowhere' }] },
        }),
        runVm: async (leased, plan, _files, { onEvent }: { onEvent: (event: GuestEvent) => void }) => {
          incomplete = plan.incomplete
          onEvent({ task: 'build', state: 'progress', message: 'x' })
          return vmOutput(leased)
        },
      },
      options,
    )
    assert.deepEqual(incomplete, ['test'])
  })
})
