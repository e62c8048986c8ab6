import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createChronicle } from '../../src/attest/audit/chronicle.ts'
import { type Answer, askWhy } from '../../src/attest/audit/why.ts'
import type { MadeLog, Tampering } from '../helpers/log-parts.ts'
import { people, ring } from '../helpers/log-people.ts'
import { makeLogWith } from '../helpers/log-with.ts'

const ask = async (made: MadeLog, question: string): Promise<Answer[]> =>
  (await askWhy(made.source, question, { key: made.key })).answers

const only = <About extends Answer['about']>(
  answers: Answer[],
  about: About,
): Extract<Answer, { about: About }> => {
  const [answer] = answers
  assert.equal(answers.length, 1)
  if (!answer || !isAbout(answer, about)) assert.fail(`not about a ${about}`)
  return answer
}

function isAbout<About extends string>(
  answer: Answer,
  about: About,
): answer is Extract<Answer, { about: About }> {
  return answer.about === about
}

describe('why', async () => {
  const newcomer = people[14]?.peerId ?? ''
  const tampering: Tampering = {
    before(maker, job) {
      if (job !== 20) return
      maker.vouch({ founders: [...maker.policy.founders, newcomer] })
      maker.refresh()
    },
  }
  const made = await makeLogWith(['suspected', 'withdrawn'], 5, 40, tampering, {
    lies: 1_000,
    sleeps: 12,
    wobbles: 20,
    ring: 6,
    known: 50,
  })
  const closes = made.done.map(done => done.close)

  it('tells of a volunteer what the log tells of it', async () => {
    for (const volunteer of ring.slice(0, 3)) {
      const answer = only(await ask(made, volunteer), 'volunteer')
      const seats = closes.flatMap(close => close.seats.filter(seat => seat.volunteer === volunteer))
      const passed = closes.filter(close => close.draw?.passed.includes(volunteer))
      const refuted = closes.filter(close =>
        close.changes.some(
          change =>
            change.type === 'answered' && change.volunteer === volunteer && change.result === 'refuted',
        ),
      )
      const ban = closes.find(close =>
        close.changes.some(change => change.type === 'banned' && change.volunteer === volunteer),
      )
      assert.equal(answer.vouched, 'founder')
      assert.equal(answer.since, 20_000)
      assert.equal(answer.seats.length, seats.length)
      assert.deepEqual(
        answer.passed,
        passed.map(close => close.job),
      )
      assert.deepEqual(
        answer.strikes.map(strike => strike.job),
        refuted.map(close => close.job),
      )
      assert.equal(answer.banned?.job, ban?.job)
    }
    assert.ok(
      closes.some(close => close.changes.some(change => change.type === 'banned')),
      'nobody was banned',
    )
  })

  it('tells of a job who sat, by which rank, and what they said', async () => {
    for (const { close, task } of made.done.slice(10, 13)) {
      const answer = only(await ask(made, close.job), 'job')
      assert.equal(answer.file, task.job.subject.filename)
      assert.equal(answer.outcome, close.outcome)
      assert.deepEqual(answer.draw?.skipped, [])
      assert.equal(answer.draw?.seed, close.draw?.seed)
      assert.deepEqual(
        answer.seats.map(seat => seat.volunteer),
        close.seats.map(seat => seat.volunteer),
      )
      assert.ok(answer.seats.every(seat => /^[0-9a-f]{64}$/.test(seat.rank ?? '')))
      const said = close.seats.filter(seat => seat.answer !== undefined).length
      assert.equal(
        answer.groups.reduce((sum, group) => sum + group.volunteers.length, 0),
        said,
      )
      assert.equal(answer.groups.filter(group => group.accepted).length, close.accepted ? 1 : 0)
    }
  })

  it('tells of a job and its report what came of their audits, those that nobody could make too', async () => {
    let isTrial = false
    const nobody: Tampering = {
      before() {
        isTrial = false
      },
      again(task) {
        isTrial = task.trial === true
        return task
      },
      candidates: order => (isTrial ? [] : order),
    }
    for (const [tampering, result] of [
      [{}, 'borne-out'],
      [nobody, undefined],
    ] as const) {
      isTrial = false
      const log = await makeLogWith([], 3, 4, tampering, { audits: 1_000 })
      const trials = log.done.filter(({ task }) => task.trial)
      assert.ok(trials.length > 0, 'nothing was audited')
      for (const { task, close, closeIndex } of trials) {
        const { audited } = only(await ask(log, task.repeats ?? ''), 'job')
        const reason = close.reason ?? ''
        const failed = result ? [] : [{ job: close.job, leaf: closeIndex, reason }]
        assert.deepEqual(audited, { result, failed })
        const { report = '' } = log.done.find(one => one.close.job === task.repeats)?.close ?? {}
        assert.deepEqual(only(await ask(log, report), 'report').audited, audited)
      }
    }
  })

  it('tells of a file which of its reports is live, and what the others gave way to', async () => {
    const states = new Set<string>()
    const withdrawn = made.done.filter(({ close }) =>
      closes.some(({ changes }) =>
        changes.some(change => change.type === 'withdrawn' && change.job === close.job),
      ),
    )
    const files = new Map(withdrawn.map(({ task: { job } }) => [job.subject.filename, job.subject.sha256]))
    for (const [filename, sha256] of [...files].slice(0, 4)) {
      const answers = await ask(made, filename)
      assert.deepEqual(await ask(made, sha256), answers)
      const reports = answers.flatMap(answer => (answer.about === 'report' ? [answer] : []))
      const ids = closes.flatMap(({ report }) => report ?? [])
      for (const { report, state, because } of reports) {
        states.add(state)
        assert.ok(ids.includes(report))
        if (state === 'superseded') assert.ok(reports.some(other => other.report === because))
        if (state === 'withdrawn') assert.ok(closes.some(close => close.job === because))
      }
      assert.ok(reports.filter(({ state }) => state === 'live').length <= 1)
      const [first] = reports
      if (first) assert.deepEqual(await ask(made, first.report), [first])
    }
    assert.deepEqual([...states].sort(), ['live', 'superseded', 'withdrawn'])
  })

  it('tells of a suspicion whom it is about, and what referees came to', async () => {
    const changes = closes.flatMap(({ changes }) => changes)
    const suspicions = changes.flatMap(change => (change.type === 'suspected' ? [change] : []))
    assert.ok(suspicions.length > 0, 'nobody was suspected')
    for (const { job, volunteers } of suspicions.slice(0, 2)) {
      const runs = changes.flatMap(change => (change.type === 'tried' && change.job === job ? [change] : []))
      const bornOut = runs.some(run => run.result === 'borne-out')
      const refuted = runs.filter(run => run.result === 'refuted').length
      const about = only(await ask(made, job), 'job')
      const { leaf = -1, ...suspected } = about.suspected ?? assert.fail('it does not tell')
      assert.deepEqual(suspected, { job, volunteers, refuted, bornOut })
      assert.equal(made.entries[leaf]?.kind, 'close')
      assert.match(about.consequences.join('\n'), /suspected of being a ring, unless job .* does not repeat/)
      for (const volunteer of volunteers.slice(0, 2))
        assert.deepEqual(
          only(await ask(made, volunteer), 'volunteer').suspected.find(one => one.job === job),
          about.suspected,
        )
      const trial = closes.find(close => close.changes.some(one => one.type === 'tried' && one.job === job))
      const run = only(await ask(made, trial?.job ?? ''), 'job')
      assert.match(run.jobClass.why, /a referee runs job .* again/)
      assert.match(run.consequences.join('\n'), /a referee (?:came|did not come) to the suspected answer/)
    }
  })

  it('says that two do not sit together again when they stood alone for the last time, not before', () => {
    const [a = '', b = '', c = ''] = ring
    const chronicle = createChronicle()
    const tell = (...pair: [string, string]) => chronicle.tell(1, [{ type: 'alike', pair }]).join()
    assert.match(tell(a, b), /gave one answer that nobody else bore out, 1 of 2 times$/)
    assert.match(tell(a, c), /, 1 of 2 times$/, 'pairs are counted by themselves')
    const last = tell(a, b)
    assert.ok(last.startsWith(`${a} and ${b} `))
    assert.match(last, /they do not sit in one job again$/)
  })

  it('tells who was vouched for after it came, and whom else nobody vouched for', async () => {
    const [vouched, other] = [newcomer, people[15]?.peerId ?? '']
    const { vouchedLater, ...answer } = only(await ask(made, vouched), 'volunteer')
    assert.deepEqual([answer.vouched, answer.established], ['founder', true])
    assert.deepEqual(
      vouchedLater.map(({ as, leaf }) => [as, made.entries[leaf]?.kind]),
      [['founder', 'roster']],
    )
    assert.deepEqual(only(await ask(made, other), 'volunteer').vouchedLater, [])
  })

  it('tells since when a referee is none, and counts its runs no more', async () => {
    const [gone, left] = [people[17]?.peerId ?? '', people[18]?.peerId ?? '']
    const log = await makeLogWith([], 3, 6, {
      before(maker, job) {
        if (job === 3) maker.vouch({ referees: maker.policy.referees.slice(1) })
      },
    })
    const { dismissed = -1, vouched } = only(await ask(log, gone), 'volunteer')
    assert.deepEqual([log.entries[dismissed]?.kind, vouched], ['policy', undefined])
    assert.equal(only(await ask(log, left), 'volunteer').dismissed, undefined)

    const chronicle = createChronicle()
    const [job, about] = ['job', { answer: 'x', intake: 'y', volunteers: ring }]
    chronicle.tell(1, [{ type: 'suspected', job, ...about }])
    const tried = (referee: string) =>
      chronicle.tell(2, [{ type: 'tried', job, result: 'refuted', referee }]).join()
    tried(gone)
    assert.match(tried(left), /run 2 of/)
    chronicle.dismiss(3, [gone])
    assert.equal(chronicle.suspected()[0]?.refuted, 1)
    assert.match(tried(left), /run 2 of/)
  })

  it('says so when it knows nothing', async () => {
    await assert.rejects(ask(made, 'nobody'), { code: 'unknown-subject' })
  })
})
