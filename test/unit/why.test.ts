import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Answer, askWhy } from '../../src/attest/audit/why.ts'
import { makeLog } from '../helpers/log-maker.ts'
import type { MadeLog } from '../helpers/log-parts.ts'
import { ring } from '../helpers/log-people.ts'

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
  const made = await makeLog(5, 36, {}, { lies: 1_000, sleeps: 12, wobbles: 20 })
  const closes = made.done.map(done => done.close)

  it('tells of a volunteer what the log tells of it', async () => {
    for (const volunteer of ring) {
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

  it('tells of a file which of its reports is live, and what the others gave way to', async () => {
    const states = new Set<string>()
    const withdrawn = made.done.filter(({ close }) =>
      closes.some(({ changes }) =>
        changes.some(change => change.type === 'withdrawn' && change.job === close.job),
      ),
    )
    const files = new Map(withdrawn.map(({ task: { job } }) => [job.subject.filename, job.subject.sha256]))
    for (const [filename, sha256] of files) {
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

  it('says so when it knows nothing', async () => {
    await assert.rejects(ask(made, 'nobody'), { code: 'unknown-subject' })
  })
})
