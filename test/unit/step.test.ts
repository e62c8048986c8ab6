import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Ballot } from '../../src/consensus/ballot.ts'
import { openRules, rulesOf } from '../../src/consensus/classes.ts'
import { mostWeight } from '../../src/consensus/credibility.ts'
import { decide, type Role } from '../../src/consensus/decide.ts'
import {
  castsOf,
  type Draw,
  isFinished,
  type JobEvent,
  type JobRecord,
  liveSeats,
  mayTakeSeat,
  newJobRecord,
  type SeatEnd,
  submittedSeats,
} from '../../src/coordinator/state.ts'
import { step } from '../../src/coordinator/step.ts'
import { isCode, PytiError } from '../../src/errors.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { testIdentity, testJob } from '../helpers/raw-data.ts'

const rules = { maxAttemptsPerVolunteer: 3, maxAttempts: 12, fileComplaints: 3 }
const volunteers = Array.from({ length: 14 }, (_, n) => testIdentity(`step volunteer ${n}`).peerId)
const volunteer = (n: number) => volunteers[n] ?? assert.fail(`no volunteer ${n}`)
const lease = (n: number) => n.toString(16).padStart(32, '0')
const honest: Ballot = { sections: { install: sha256('truth') }, tests: {} }
const lie = (n: number): Ballot => ({ sections: { install: sha256(`lie ${n}`) }, tests: {} })

const start = () => newJobRecord(testJob(), 1_000, openRules, '5a'.repeat(16))
const taker = (by: number, role: Role = 'seat') => ({
  volunteer: volunteer(by),
  role,
  operator: volunteer(by),
  weight: mostWeight,
  platform: 'uml x86-64-v3',
})
const granted = (n: number, by = n, deadline = 10_000, role?: Role): JobEvent => ({
  type: 'lease-granted',
  lease: lease(n),
  deadline,
  seat: taker(by, role),
})
const handedIn = (n: number, ballot = honest, accusing = false): JobEvent => ({
  type: 'raw-data-accepted',
  lease: lease(n),
  submission: {
    attestation: sha256(`attestation ${n}`),
    rawData: { sha256: sha256(`raw ${n}`), size: 1 },
    accusing,
  },
  ballot,
})
const released = (n: number, end: SeatEnd = 'vm-crash', detail?: string): JobEvent => ({
  type: 'lease-released',
  lease: lease(n),
  end,
  ...(detail === undefined ? {} : { detail }),
})
const run = (events: JobEvent[], from = start(), now = 2_000): JobRecord =>
  events.reduce((job, event) => step(job, event, now, rules).job, from)
const states = (job: JobRecord) => job.seats.map(seat => seat.state)
const refused = (code: string) => (error: unknown) => isCode(error, code)

describe('step: the straight way', () => {
  it('opens as many seats as the quorum', () => {
    assert.equal(start().wanted, 3)
    assert.equal(start().phase, 'queued')
  })

  it('leases a seat and advertises the change', () => {
    const { job, effects } = step(start(), granted(1), 2_000, rules)
    assert.equal(job.phase, 'leased')
    assert.equal(job.wanted, 2)
    assert.deepEqual(job.seats, [
      {
        number: 1,
        lease: lease(1),
        startedAt: 2_000,
        deadline: 10_000,
        volunteer: volunteer(1),
        role: 'seat',
        operator: volunteer(1),
        weight: mostWeight,
        state: 'leased',
      },
    ])
    assert.deepEqual(effects, [{ type: 'advertise' }])
  })

  it('agrees at the quorum and asks for the report once', () => {
    const before = run([granted(1), granted(2), granted(3), handedIn(1), handedIn(2)])
    assert.equal(before.phase, 'leased')
    assert.equal(before.wanted, 0)
    const { job, effects } = step(before, handedIn(3), 2_000, rules)
    assert.equal(job.phase, 'agreed')
    assert.deepEqual(effects, [{ type: 'publish' }])
    const again = step(job, handedIn(3), 2_000, rules)
    assert.equal(again.job, job)
    assert.deepEqual(again.effects, [])
  })

  it('is reported once the report is signed and out, and repeats change nothing', () => {
    const before = run([1, 2, 3].flatMap(n => [granted(n), handedIn(n)]))
    const signed: JobEvent = { type: 'report-signed', report: sha256('report') }
    const { job: agreed, effects } = step(before, signed, 2_000, rules)
    assert.deepEqual(effects, [{ type: 'publish' }])
    assert.equal(step(agreed, signed, 2_000, rules).job, agreed)
    assert.throws(() => step(agreed, { ...signed, report: sha256('x') }, 2_000, rules), refused('bad-event'))
    const published: JobEvent = { type: 'report-published', bundle: sha256('bundle') }
    const { job } = step(agreed, published, 2_000, rules)
    assert.equal(job.phase, 'reported')
    assert.equal(job.bundle, sha256('bundle'))
    assert.equal(step(job, published, 2_000, rules).job, job)
    assert.throws(() => step(job, { ...published, bundle: sha256('x') }, 2_000, rules), refused('bad-event'))
  })
})

describe('step: referees that are none any more', () => {
  const drawn = newJobRecord(
    testJob(),
    1_000,
    { ...rulesOf('N', { extra: 0, spotReferees: 0, referees: 2 }), seats: 2, referees: 2 },
    '5a'.repeat(16),
  )
  const called = run(
    [granted(1), granted(2), handedIn(1), handedIn(2, lie(2)), granted(3, 3, 10_000, 'referee')],
    { ...drawn, wanted: 2 },
  )
  const dismissed = (...who: number[]): JobEvent => ({ type: 'dismissed', volunteers: who.map(volunteer) })
  const lost: JobEvent = { type: 'volunteer-lost', lease: lease(3), end: 'disconnected' }

  it('hand nothing in any more, late or not, and others take their seats', () => {
    for (const before of [called, run([lost], called)]) {
      const job = run([dismissed(3)], before)
      const seat = job.seats[2] ?? assert.fail()
      assert.deepEqual([seat.state, seat.state === 'released' && seat.end], ['released', 'dismissed'])
      assert.deepEqual([job.wanted, job.wantedRole], [2, 'referee'])
      assert.throws(() => run([handedIn(3)], job), refused('stale-lease'))
    }
    assert.doesNotThrow(() => run([lost, handedIn(3)], called), 'others may be late')
  })

  it('keep what they handed in, and their seats in other roles', () => {
    const before = run([handedIn(3)], called)
    assert.equal(run([dismissed(1, 2, 3, 4)], before), before)
    const seated = run([granted(1)], { ...drawn, wanted: 2 })
    assert.equal(run([dismissed(1)], seated), seated)
  })

  it('lose the seat of a trial, whatever its role', () => {
    const known = { of: sha256('job'), trial: true, platform: 'uml x86-64-v3', without: [] }
    const job = run([dismissed(1)], run([granted(1)], { ...drawn, wanted: 2, known }))
    assert.deepEqual(states(job), ['released'])
  })
})

describe('step: disagreement', () => {
  const dissent = () =>
    run([1, 2, 3].map(n => granted(n)).concat(handedIn(1), handedIn(2), handedIn(3, lie(3))))
  const panel = (n: number, ballot = honest) => [granted(n, n, 10_000, 'panel'), handedIn(n, ballot)]

  it('calls a panel of five for a dissent', () => {
    const job = dissent()
    assert.deepEqual([job.phase, job.wanted, job.wantedRole], ['leased', 5, 'panel'])
    assert.throws(() => run([granted(4)], job), refused('bad-event'), 'no more ordinary seats')
    assert.equal(
      run(
        [4, 5, 6, 7, 8].flatMap(n => panel(n)),
        job,
      ).phase,
      'agreed',
    )
  })

  it('is agreed that it does not repeat', () => {
    const job = run([...[4, 5, 6, 7].flatMap(n => panel(n)), ...panel(8, lie(3))], dissent())
    assert.deepEqual([job.phase, job.flaky, job.wanted], ['agreed', true, 0])
  })

  it('ends when nobody bears out a difference, and lets go of live seats', () => {
    const job = run([...[4, 5, 6, 7].flatMap(n => panel(n)), ...panel(8, lie(8))], dissent())
    assert.deepEqual([job.phase, job.flaky], ['unresolved', undefined])
    assert.deepEqual(liveSeats(job), [])
    assert.throws(() => step(job, handedIn(9), 2_000, rules), refused('stale-lease'))
  })
})

describe('step: drawn jobs', () => {
  const drawn = (change: Partial<Draw> = {}): JobEvent => ({
    type: 'drawn',
    draw: {
      task: 1,
      roster: 0,
      beacon: 2,
      seed: sha256('seed'),
      platform: 'uml x86-64-v3',
      referees: 5,
      shadows: 0,
      passed: [],
      ...change,
    },
  })
  const weighed = (salt = '5a') =>
    newJobRecord(testJob(), 1_000, rulesOf('N', { extra: 0, spotReferees: 0, referees: 0 }), salt.repeat(16))
  /** A salt under which nothing is hidden, so that the numbers below are plain. */
  const plain = Array.from({ length: 64 }, (_, n) => n.toString(16).padStart(2, '0')).find(salt => {
    const { seats, spotReferees } = run([drawn()], weighed(salt)).rules
    return seats === 3 && spotReferees === 0
  })
  const start = (change: Partial<Draw> = {}) => run([drawn(change)], weighed(plain))

  it('want nothing before the draw, and then the seats of their class', () => {
    const before = weighed(plain)
    assert.equal(before.wanted, 0)
    assert.throws(() => run([granted(1)], before), refused('bad-event'))
    const job = start()
    assert.deepEqual([job.wanted, job.wantedRole, job.rules.referees], [3, 'seat', 5])
    assert.equal(step(job, drawn(), 2_000, rules).job, job, 'drawn once')
  })

  it('hide more seats now and then, the same ones for the same seed and salt', () => {
    const seats = Array.from({ length: 200 }, (_, n) => {
      const salt = n.toString(16).padStart(2, '0')
      const { rules: first } = run([drawn()], weighed(salt))
      assert.deepEqual(run([drawn()], weighed(salt)).rules, first)
      return first.seats
    })
    const hidden = seats.filter(count => count > 3).length
    assert.ok(hidden > 25 && hidden < 75, `${hidden} of 200 have hidden seats, about 50 should`)
  })

  it('are looked into by referees', () => {
    const events = [granted(1), granted(2), granted(3), handedIn(1), handedIn(2), handedIn(3, lie(3))]
    const job = run(events, start())
    assert.deepEqual([job.wanted, job.wantedRole], [2, 'referee'])
    const two = run(
      [4, 5].flatMap(n => [granted(n, n, 10_000, 'referee'), handedIn(n)]),
      job,
    )
    assert.deepEqual([two.wanted, two.wantedRole], [3, 'referee'])
  })

  it('become class X when one volunteer sees harm', () => {
    const job = run([granted(1), handedIn(1, honest, true)], start())
    assert.equal(job.rules.jobClass, 'X')
    assert.ok(job.rules.seats >= 5)
  })

  it('let a newcomer run beside them, wait for it a while, and never count it', () => {
    const events = [granted(1), granted(2), granted(3), granted(4, 4, 10_000, 'shadow')]
    const job = run(events, start({ shadows: 1 }))
    assert.throws(() => run([granted(5, 5, 10_000, 'shadow')], job), refused('bad-event'))
    const waiting = run([handedIn(1), handedIn(2), handedIn(3)], job, 5_000)
    assert.equal(waiting.phase, 'leased')
    const [shadow] = liveSeats(waiting)
    assert.equal(shadow?.deadline, 8_000, 'as long as the slowest seat took')
    const agreed = run([handedIn(4, lie(4))], waiting, 6_000)
    assert.equal(agreed.phase, 'agreed')
    const late = run([{ type: 'lease-expired', lease: lease(4) }], waiting, 8_000)
    assert.equal(late.phase, 'agreed')
  })

  it('have seats on one platform only', () => {
    const job = run([granted(1)], start())
    const other = { ...taker(2), platform: 'tcg' }
    assert.equal(mayTakeSeat(job, other, rules), false)
    assert.equal(mayTakeSeat(job, taker(2), rules), true)
  })

  it('give one operator one seat', () => {
    const job = run([granted(1)], start())
    assert.equal(mayTakeSeat(job, { ...taker(2), operator: volunteer(1) }, rules), false)
  })

  it('remember who was passed over, once', () => {
    const passed: JobEvent = { type: 'passed-over', volunteers: [volunteer(1), volunteer(1)] }
    const job = run([passed], start())
    assert.deepEqual(job.draw?.passed, [volunteer(1)])
    assert.equal(step(job, passed, 2_000, rules).job, job)
    assert.throws(() => run([passed], weighed(plain)), refused('bad-event'))
  })
})

describe('step: seats without raw data', () => {
  it('opens the seat again after release, expiry and loss', () => {
    const events: JobEvent[] = [
      released(1, 'vm-crash', 'guest gave no answer'),
      { type: 'lease-expired', lease: lease(1) },
      { type: 'volunteer-lost', lease: lease(1), end: 'disconnected' },
    ]
    for (const event of events) {
      const { job, effects } = step(run([granted(1)]), event, 10_000, rules)
      assert.equal(job.phase, 'queued')
      assert.equal(job.wanted, 3)
      assert.deepEqual(effects, [{ type: 'advertise' }])
      const again = step(job, event, 10_000, rules)
      assert.equal(again.job, job, `${event.type} twice`)
    }
  })

  it('keeps what the volunteer said, shortened', () => {
    const [seat] = run([granted(1), released(1, 'internal', 'x'.repeat(900))]).seats
    assert.ok(seat?.state === 'released')
    assert.equal(seat.end, 'internal')
    assert.equal(seat.detail?.length, 500)
  })

  it('does not expire a lease before its time', () => {
    assert.throws(
      () => step(run([granted(1)]), { type: 'lease-expired', lease: lease(1) }, 9_999, rules),
      refused('bad-event'),
    )
  })

  it('takes late raw data while nobody else has the place', () => {
    const lost = run([granted(1), { type: 'volunteer-lost', lease: lease(1), end: 'disconnected' }])
    const job = run([handedIn(1)], lost)
    assert.deepEqual(states(job), ['submitted'])
    assert.equal(job.wanted, 2)
  })

  it('refuses late raw data once the place is taken', () => {
    const lost = run([granted(1), { type: 'volunteer-lost', lease: lease(1), end: 'restarted' }])
    const full = run([granted(2), granted(3), granted(4)], lost)
    assert.throws(() => step(full, handedIn(1), 2_000, rules), refused('stale-lease'))
  })

  it('refuses late raw data of a volunteer that has taken another seat since', () => {
    const job = run([
      granted(1),
      { type: 'volunteer-lost', lease: lease(1), end: 'restarted' },
      granted(2, 1),
    ])
    assert.throws(() => step(job, handedIn(1), 2_000, rules), refused('stale-lease'))
  })

  it('refuses raw data for a lease that was given back', () => {
    assert.throws(
      () => step(run([granted(1), released(1)]), handedIn(1), 2_000, rules),
      refused('stale-lease'),
    )
  })

  it('never counts them as votes: twelve attempts end the job with the reasons', () => {
    let job = start()
    for (let n = 0; n < 12; n += 1) {
      assert.equal(job.phase, 'queued')
      job = run([granted(n), released(n, n % 3 === 0 ? 'internal' : 'vm-crash')], job)
    }
    assert.equal(job.phase, 'unresolved')
    assert.equal(job.reason, '8 of 12 guests crashed; 4 of 12 volunteers failed')
  })

  it('waits for live seats before giving up on the last attempt', () => {
    let job = start()
    for (let n = 0; n < 10; n += 1) job = run([granted(n), released(n)], job)
    job = run([granted(10), granted(11)], job)
    assert.equal(job.wanted, 0)
    job = run([released(10)], job)
    assert.equal(job.phase, 'leased')
    job = run([released(11)], job)
    assert.equal(job.phase, 'unresolved')
    assert.equal(job.reason, '12 of 12 guests crashed')
  })

  for (const complaint of ['hash-mismatch', 'file-missing'] as const)
    it(`ends at once when three volunteers say ${complaint}`, () => {
      const events = [1, 2, 3].flatMap(n => [granted(n), released(n, complaint)])
      const job = run([granted(4), ...events])
      assert.equal(job.phase, 'unresolved')
      assert.equal(job.reason, complaint)
      assert.deepEqual(liveSeats(job), [])
    })

  it('does not take three complaints of one volunteer for three', () => {
    const job = run([1, 2, 3].flatMap(n => [granted(n, 1), released(n, 'hash-mismatch')]))
    assert.equal(job.phase, 'queued')
  })
})

describe('step: who may take a seat', () => {
  it('one seat per volunteer, live or submitted', () => {
    assert.throws(() => run([granted(1), granted(2, 1)]), refused('bad-event'))
    assert.throws(() => run([granted(1), handedIn(1), granted(2, 1)]), refused('bad-event'))
  })
  it('three attempts per volunteer', () => {
    const job = run([1, 2, 3].flatMap(n => [granted(n, 1), released(n)]))
    assert.equal(mayTakeSeat(job, taker(1), rules), false)
    assert.throws(() => run([granted(4, 1)], job), refused('bad-event'))
    assert.equal(run([granted(4, 2)], job).phase, 'leased')
  })
  it('not more seats than wanted', () => {
    assert.throws(() => run([granted(1), granted(2), granted(3), granted(4)]), refused('bad-event'))
  })
  it('no used lease, no deadline in the past', () => {
    assert.throws(() => run([granted(1), granted(1, 2)]), refused('bad-event'))
    assert.throws(() => run([granted(1, 1, 2_000)]), refused('bad-event'))
  })
  it('none in a job that has ended', () => {
    const agreed = run([1, 2, 3].flatMap(n => [granted(n), handedIn(n)]))
    assert.throws(() => run([granted(4)], agreed), refused('bad-event'))
  })
})

describe('step: bad events', () => {
  it('an unknown lease is stale', () => {
    const events: JobEvent[] = [
      handedIn(9),
      released(9),
      { type: 'lease-expired', lease: lease(9) },
      { type: 'volunteer-lost', lease: lease(9), end: 'restarted' },
    ]
    for (const event of events)
      assert.throws(() => run([granted(1), event]), refused('stale-lease'), event.type)
  })
  it('other raw data for the same seat is a conflict', () => {
    const job = run([granted(1), handedIn(1)])
    const other: JobEvent = {
      type: 'raw-data-accepted',
      lease: lease(1),
      submission: {
        attestation: sha256('other'),
        rawData: { sha256: sha256('raw'), size: 1 },
        accusing: false,
      },
      ballot: honest,
    }
    assert.throws(() => run([other], job), refused('conflict'))
    assert.throws(() => run([released(1)], job), refused('conflict'))
  })
  it('a report before agreement', () => {
    const published: JobEvent = { type: 'report-published', bundle: sha256('bundle') }
    assert.throws(() => run([published]), refused('bad-event'))
    assert.throws(() => run([granted(1), published]), refused('bad-event'))
  })
})

describe('step: any order of events', () => {
  /** A command becomes an event for one of the leases there are, or, when `pick` is too large, for an unknown one. */
  interface Command {
    kind: 'grant' | 'honest' | 'lie' | 'release' | 'expire' | 'lose' | 'report'
    pick: number
    end: SeatEnd
    later: number
  }
  const command: fc.Arbitrary<Command> = fc.record({
    kind: fc.constantFrom(
      'grant',
      'grant',
      'honest',
      'honest',
      'honest',
      'lie',
      'release',
      'release',
      'expire',
      'lose',
      'report',
    ),
    pick: fc.nat({ max: 13 }),
    end: fc.constantFrom<SeatEnd>('vm-crash', 'hash-mismatch', 'hash-mismatch', 'file-missing', 'internal'),
    later: fc.nat({ max: 1_500 }),
  })
  const eventFor = ({ kind, pick, end }: Command, job: JobRecord, now: number): JobEvent => {
    const n = job.seats.length === 0 || pick === 13 ? 99 : (pick % job.seats.length) + 1
    switch (kind) {
      case 'grant':
        return granted(pick === 13 ? 1 : job.seats.length + 1, pick, now + 4_000, job.wantedRole)
      case 'honest':
        return handedIn(n)
      case 'lie':
        return handedIn(n, lie(pick % 2 === 0 ? 0 : pick))
      case 'release':
        return released(n, end)
      case 'expire':
        return { type: 'lease-expired', lease: lease(n) }
      case 'lose':
        return { type: 'volunteer-lost', lease: lease(n), end: 'disconnected' }
      case 'report':
        return { type: 'report-published', bundle: sha256('bundle') }
    }
  }

  it('keeps the promises', () => {
    const phases = new Set<string>()
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60, size: 'max' }), commands => {
        let now = 2_000
        let job = start()
        for (const next of commands) {
          now += next.later
          const before = structuredClone(job)
          let after = job
          try {
            after = step(job, eventFor(next, job, now), now, rules).job
          } catch (error) {
            assert.ok(
              error instanceof PytiError && ['stale-lease', 'conflict', 'bad-event'].includes(error.code),
            )
          }
          assert.deepEqual(job, before, 'a step must not change the record it was given')
          checkInvariants(job, after)
          job = after
        }
        phases.add(job.phase)
      }),
      { seed: 20261120, numRuns: 1_500 },
    )
    assert.deepEqual([...phases].sort(), ['agreed', 'leased', 'queued', 'reported', 'unresolved'])
  })

  function checkInvariants(before: JobRecord, after: JobRecord): void {
    if (isFinished(before)) assert.equal(after, before, 'a finished job changed')
    const holders = [...liveSeats(after), ...submittedSeats(after)].map(seat => seat.volunteer)
    assert.equal(new Set(holders).size, holders.length, 'a volunteer holds two seats')
    assert.ok(after.seats.length <= rules.maxAttempts)
    for (const one of volunteers)
      assert.ok(after.seats.filter(seat => seat.volunteer === one).length <= rules.maxAttemptsPerVolunteer)
    assert.equal(new Set(after.seats.map(seat => seat.lease)).size, after.seats.length)
    assert.ok(submittedSeats(after).length <= openRules.maxSeats + openRules.panel)
    for (const seat of submittedSeats(before))
      assert.deepEqual(after.seats[seat.number - 1], seat, 'a submission changed or vanished')
    assert.deepEqual(
      Object.keys(after.ballots).sort(),
      submittedSeats(after)
        .map(seat => seat.lease)
        .sort(),
    )
    if (after.phase === 'queued' || after.phase === 'leased') {
      assert.ok(after.wanted > 0 || liveSeats(after).length > 0, 'an open job that nobody can move')
      assert.equal(after.phase === 'queued', holders.length === 0)
    } else {
      assert.equal(after.wanted, 0)
      assert.deepEqual(liveSeats(after), [])
    }
    if (after.phase === 'agreed' || after.phase === 'reported') {
      const decision = decide(castsOf(after), after.rules)
      assert.ok(decision.kind === 'accept' || decision.kind === 'flaky')
      assert.equal(decision.kind === 'flaky', after.flaky === true)
    }
    assert.equal(after.phase === 'unresolved', after.reason !== undefined && after.reason !== '')
    assert.equal(after.phase === 'reported', after.bundle !== undefined)
  }
})
