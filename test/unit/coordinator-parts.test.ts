import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRules } from '../../src/consensus/classes.ts'
import { coordinatorConfig, leaseMs, profileFor } from '../../src/coordinator/config.ts'
import { describeFailures } from '../../src/coordinator/failures.ts'
import { type JobRequest, jobFor } from '../../src/coordinator/new-job.ts'
import { createRoster } from '../../src/coordinator/roster.ts'
import { createSerial } from '../../src/coordinator/serial.ts'
import { newJobRecord, type Seat, type SeatEnd } from '../../src/coordinator/state.ts'
import { isCode } from '../../src/errors.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { type BackendDemand, backendFor, Job, jobId } from '../../src/wire/job.ts'
import { fileRequest, seededRandom } from '../helpers/coordinator-house.ts'
import { testIdentity, testJob } from '../helpers/raw-data.ts'

const { hashSeed: _, ...profile } = testJob().profile
const now = Date.UTC(2026, 10, 20, 12, 0, 0, 999)

describe('coordinator config', () => {
  it('has defaults for all but the profile', () => {
    const config = coordinatorConfig({ profiles: [profile] })
    assert.deepEqual([config.quorum, config.maxAttempts, config.disconnectGraceMs], [3, 24, 15_000])
    assert.ok(Object.isFrozen(config))
  })
  it('refuses what does not fit, naming the field', () => {
    const bad: [string, object][] = [
      ['quorum', { quorum: 0 }],
      ['maxAttempts', { quorum: 8, maxAttempts: 7 }],
      ['founders', { founders: ['somebody'] }],
      ['witnessThreshold', { witnesses: ['one', 'two'], witnessThreshold: 1 }],
      ['witnessThreshold', { witnesses: ['one', 'two'], witnessThreshold: 3 }],
      ['witnessThreshold', { witnessThreshold: 1 }],
      ['tickMs', { tickMs: 0.5 }],
      ['quroum', { quroum: 3 }],
      ['hashSeed', { profiles: [{ ...profile, hashSeed: 1 }] }],
      ['followTasks', { followTasks: [] }],
      ['profiles', { profiles: [] }],
      ['profiles', { profiles: [profile, { ...profile, image: sha256('other') }] }],
      ['backend', { profiles: [{ ...profile, backend: 'qemu' }] }],
    ]
    for (const [field, options] of bad)
      assert.throws(
        () => coordinatorConfig({ profiles: [profile], ...options }),
        error => isCode(error, 'bad-config') && error.message.includes(field),
        field,
      )
  })
})

describe('lease times', () => {
  it('follow the backend', () => {
    const config = coordinatorConfig({ profiles: [profile], leaseExtraMs: 1 })
    const times = (['kvm', 'uml', 'tcg'] as const).map(one => leaseMs({ wallSeconds: 10 }, one, config))
    assert.deepEqual(times, [10_001, 30_001, 100_001])
  })
})

describe('the backend of a job', () => {
  it('is the demanded one, else the first that the volunteer offers', () => {
    const cases = [
      ['any', ['uml', 'tcg'], 'uml'],
      ['any', ['tcg', 'uml'], 'tcg'],
      ['tcg', ['uml', 'tcg'], 'tcg'],
      ['kvm', ['uml', 'tcg'], undefined],
      ['any', [], undefined],
      ['kvm', [], undefined],
    ] as const
    for (const [backend, offered, expected] of cases)
      assert.equal(backendFor({ backend }, offered), expected, `${backend}`)
  })
})

describe('profiles by Python', () => {
  const old = { ...profile, python: '3.11', image: sha256('old') }
  const config = coordinatorConfig({ profiles: [profile, old] })
  it('are found by Python, the first without one', () => {
    assert.equal(profileFor(config).image, profile.image)
    assert.equal(profileFor(config, '3.13').image, profile.image)
    assert.equal(profileFor(config, '3.11').image, old.image)
  })
  it('say what there is when asked for another', () =>
    assert.throws(
      () => profileFor(config, '3.9'),
      error => isCode(error, 'python-not-offered') && /3\.9 here, only 3\.13, 3\.11/.test(error.message),
    ))
})

describe('a new job', () => {
  const random = () => seededRandom('job')
  it('is a valid job with the time cut to seconds and its own nonce and hash seed', () => {
    const draw = random()
    const [one, two] = [
      jobFor(fileRequest('a1'), profile, now, draw),
      jobFor(fileRequest('a1'), profile, now, draw),
    ]
    assert.deepEqual(Job.parse(one), one)
    assert.equal(one.indexCutoff, '2026-11-20T12:00:00Z')
    assert.notEqual(one.nonce, two.nonce)
    assert.notEqual(one.profile.hashSeed, two.profile.hashSeed)
    assert.notEqual(jobId(one), jobId(two))
  })
  it('has its tasks in one order, each once', () => {
    const { tasks } = jobFor(
      fileRequest('a1', { tasks: ['quality', 'build', 'quality'] }),
      profile,
      now,
      random(),
    )
    assert.deepEqual(tasks, ['build', 'quality'])
  })
  it('demands the backend that is asked for, else that of the profile, and always says so', () => {
    const demanded = (request: Partial<JobRequest>, own: Parameters<typeof jobFor>[1]) =>
      jobFor(fileRequest('a1', request), own, now, random()).profile.backend
    assert.equal(demanded({}, { ...profile, backend: 'any' }), 'any')
    assert.equal(demanded({}, { ...profile, backend: 'kvm' }), 'kvm')
    assert.equal(demanded({ backend: 'tcg' }, { ...profile, backend: 'kvm' }), 'tcg')
    assert.equal(demanded({ backend: 'any' }, { ...profile, backend: 'kvm' }), 'any')
  })
  it('has the network and the days that are asked for, else those of the profile', () => {
    const own = { ...profile, network: 'sinkhole' as const, clockDays: [365, 30] }
    const settings = (request: Partial<JobRequest>, of = own) => {
      const job = jobFor(fileRequest('a1', request), of, now, random())
      return [job.profile.network, job.profile.clockDays, job.tasks.includes('clocks')]
    }
    assert.deepEqual(settings({}), ['sinkhole', [30, 365], true])
    assert.deepEqual(settings({ network: 'dead', clockDays: [7, 7] }), ['dead', [7], true])
    assert.deepEqual(settings({ clockDays: [] }), ['sinkhole', [], false])
    assert.deepEqual(settings({ tasks: ['import'] }), ['sinkhole', [], false])
    assert.throws(() => settings({ tasks: ['clocks'], clockDays: [] }), { code: 'bad-request' })
  })
  it('gives the VM the time that longer tasks need, within the ceiling', () => {
    const wall = (taskSeconds: number) =>
      jobFor(fileRequest('a1', { taskSeconds }), { ...profile, wallSeconds: 500 }, now, random()).profile
    assert.deepEqual([wall(10).taskSeconds, wall(10).wallSeconds], [10, 500])
    assert.deepEqual([wall(600).taskSeconds, wall(600).wallSeconds], [600, 6_060])
    assert.equal(wall(3_600).wallSeconds, 14_400)
  })
})

describe('failures in words', () => {
  it('most frequent first', () => {
    const ends: SeatEnd[] = ['vm-crash', 'deadline', 'vm-crash', 'vm-crash']
    const seats = ends.map(
      (end, n): Seat => ({
        number: n + 1,
        volunteer: testIdentity(`v${n}`).peerId,
        lease: n.toString(16).padStart(32, '0'),
        startedAt: 1,
        deadline: 2,
        role: 'seat',
        operator: 'somebody',
        weight: 4_000,
        state: 'lost',
        endedAt: 2,
        end,
      }),
    )
    const record = { ...newJobRecord(testJob(), now, openRules, '00'.repeat(16)), seats }
    assert.equal(describeFailures(record), '3 of 4 guests crashed; 1 of 4 deadlines passed')
  })
})

describe('serial work', () => {
  it('runs in order per key, side by side between keys, and past failures', async () => {
    const serial = createSerial()
    const seen: string[] = []
    const gate = Promise.withResolvers<void>()
    const work = (name: string, wait?: Promise<void>) => async () => {
      seen.push(`${name} begins`)
      await wait
      seen.push(`${name} ends`)
      return name
    }
    const failing = serial.run('a', async () => {
      await gate.promise
      throw new Error('no')
    })
    const results = Promise.all([serial.run('a', work('a2')), serial.run('b', work('b1'))])
    await serial.run('b', work('b2'))
    assert.deepEqual(seen, ['b1 begins', 'b1 ends', 'b2 begins', 'b2 ends'])
    gate.resolve()
    await assert.rejects(failing, /no/)
    assert.deepEqual(await results, ['a2', 'b1'])
    await serial.idle()
  })
})

describe('roster', () => {
  it('knows who is there, who is gone and since when too long', () => {
    const roster = createRoster()
    const machine = { cpu: 'x86-64-v2', operator: 'somebody' }
    roster.introduce('a', { slots: 1, backends: ['kvm'], ...machine })
    roster.introduce('idle', { slots: 0, backends: ['kvm'], ...machine })
    roster.introduce('none', { slots: 1, backends: [], ...machine })
    roster.introduce('slow', { slots: 1, backends: ['tcg'], ...machine })
    const those = (backend: BackendDemand) => [...roster.volunteers({ backend })].map(([peer]) => peer)
    assert.deepEqual(those('any'), ['a', 'slow'])
    assert.deepEqual(those('tcg'), ['slow'])
    assert.deepEqual(those('uml'), [])
    roster.disconnected('a', 100)
    assert.equal(roster.get('a'), undefined)
    assert.deepEqual(
      [roster.isLost('a', 99), roster.isLost('a', 100), roster.isLost('never', 100)],
      [false, true, false],
    )
    roster.connected('a')
    assert.equal(roster.isLost('a', 1_000), false)
    roster.disconnected('a', 200)
    roster.forgetLost(199)
    assert.equal(roster.isLost('a', 200), true)
    roster.forgetLost(200)
    assert.equal(roster.isLost('a', 200), false)
  })
})
