import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { coordinatorConfig, leaseMs } from '../../src/coordinator/config.ts'
import { describeFailures } from '../../src/coordinator/failures.ts'
import { jobFor } from '../../src/coordinator/new-job.ts'
import { createRoster } from '../../src/coordinator/roster.ts'
import { createSerial } from '../../src/coordinator/serial.ts'
import { newJobRecord, type Seat, type SeatEnd } from '../../src/coordinator/state.ts'
import { isCode } from '../../src/errors.ts'
import { Job, jobId } from '../../src/wire/job.ts'
import { fileRequest, seededRandom } from '../helpers/coordinator-house.ts'
import { testIdentity, testJob } from '../helpers/raw-data.ts'

const { hashSeed: _, ...profile } = testJob().profile
const now = Date.UTC(2026, 10, 20, 12, 0, 0, 999)

describe('coordinator config', () => {
  it('has defaults for all but the profile', () => {
    const config = coordinatorConfig({ profile })
    assert.deepEqual([config.quorum, config.maxSeats, config.disconnectGraceMs], [3, 7, 15_000])
    assert.ok(Object.isFrozen(config))
  })
  it('refuses what does not fit, naming the field', () => {
    const bad: [string, object][] = [
      ['quorum', { quorum: 0 }],
      ['maxSeats', { quorum: 8 }],
      ['maxAttempts', { maxAttempts: 6 }],
      ['tickMs', { tickMs: 0.5 }],
      ['quroum', { quroum: 3 }],
      ['hashSeed', { profile: { ...profile, hashSeed: 1 } }],
      ['followTasks', { followTasks: [] }],
    ]
    for (const [field, options] of bad)
      assert.throws(
        () => coordinatorConfig({ profile, ...options }),
        error => isCode(error, 'bad-config') && error.message.includes(field),
        field,
      )
  })
})

describe('lease times', () => {
  it('follow the slowest backend', () => {
    const config = coordinatorConfig({ profile, leaseExtraMs: 1 })
    assert.equal(leaseMs({ wallSeconds: 10 }, ['kvm'], config), 10_001)
    assert.equal(leaseMs({ wallSeconds: 10 }, ['kvm', 'tcg', 'uml'], config), 100_001)
    assert.equal(leaseMs({ wallSeconds: 10 }, [], config), 10_001)
  })
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
  it('gives the VM the time that longer tasks need, within the ceiling', () => {
    const wall = (taskSeconds: number) =>
      jobFor(fileRequest('a1', { taskSeconds }), { ...profile, wallSeconds: 500 }, now, random()).profile
    assert.deepEqual([wall(10).taskSeconds, wall(10).wallSeconds], [10, 500])
    assert.deepEqual([wall(600).taskSeconds, wall(600).wallSeconds], [600, 3_060])
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
        state: 'lost',
        endedAt: 2,
        end,
      }),
    )
    const rules = coordinatorConfig({ profile })
    const record = { ...newJobRecord(jobId(testJob()), testJob(), now, rules), seats }
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
    roster.introduce('a', { slots: 1, backends: ['kvm'] })
    roster.introduce('idle', { slots: 0, backends: ['kvm'] })
    assert.deepEqual([...roster.volunteers()], ['a'])
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
