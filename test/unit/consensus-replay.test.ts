import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readDocument } from '../../src/attest/documents.ts'
import { Book, type Change } from '../../src/consensus/book.ts'
import { rulesOf } from '../../src/consensus/classes.ts'
import { type Closed, graduate, settleClosed } from '../../src/consensus/consequences.ts'
import type { Role } from '../../src/consensus/decide.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import { testIdentity } from '../helpers/raw-data.ts'

const seed = 20_261_120
const start = 20_000

// Random histories: what is logged, read back as anybody reads it, makes the same book.

const volunteers = Array.from({ length: 16 }, (_, n) => testIdentity(`history ${n}`).peerId)
const intake = sha256('files')
/** What somebody said in the only seat of a job. */
const said = (n: number, across: string) =>
  ({ volunteer: volunteers[n] ?? '', role: 'seat', answer: across, across, intake }) as const
const anyAnswer = fc
  .record({
    volunteer: fc.constantFrom(...volunteers),
    role: fc.constantFrom<Role>('seat', 'seat', 'seat', 'panel', 'referee', 'shadow'),
    answer: fc.constantFrom('a', 'a', 'b', 'b', 'c'),
  })
  .map(one => ({ ...one, answer: sha256(one.answer), across: sha256(one.answer), intake }))
const anyClosed = fc.record({
  outcome: fc.constantFrom<Closed['outcome']>(
    'accepted',
    'accepted',
    'accepted',
    'flaky',
    'unresolved',
    'known',
  ),
  answers: fc.uniqueArray(anyAnswer, { minLength: 1, maxLength: 12, selector: one => one.volunteer }),
})
const anyStep = fc.record({
  days: fc.nat({ max: 5 }),
  closed: fc.option(anyClosed),
  joins: fc.option(fc.nat({ max: volunteers.length - 1 })),
  works: fc.option(fc.integer({ min: 9, max: 11 }), { freq: 2 }),
  audit: fc.option(fc.constantFrom('bears out', 'refutes', 'has other files')),
  trials: fc.option(fc.record({ runs: fc.integer({ min: 1, max: 30 }), bearOut: fc.nat({ max: 60 }) })),
})
type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never

function joinedAs(n: number): Change {
  const vouched = n < 5 ? ('founder' as const) : n < 7 ? ('referee' as const) : undefined
  const change = {
    type: 'joined',
    volunteer: volunteers[n] ?? assert.fail(),
    operator: `operator-${n >> 1}`,
    network: n % 3 === 0 ? `192.0.2.${n}/24` : '',
  } as const
  return vouched ? { ...change, vouched } : change
}

const rules = rulesOf('N', { extra: 0, spotReferees: 0, referees: 5 })

/** Lives through the steps. @returns the documents that say so, as bytes */
function live(book: Book, steps: readonly Step[]): Uint8Array[] {
  const log: Uint8Array[] = []
  let day = start
  let reported: string | undefined
  const close = (closed: Omit<Closed, 'quorum' | 'job'>) => {
    const job = sha256(`job ${log.length}`)
    const changes = settleClosed(book, { ...closed, job, quorum: 3 }, day)
    const { outcome } = closed
    if (outcome === 'accepted') reported = job
    const document = { schema: 'pyti.close/1', job, day, task: 0, rules, outcome, seats: [], changes }
    log.push(canonicalBytes(document))
  }
  for (const { days, closed, joins, works, trials, audit } of steps) {
    day += days
    if (joins !== null) {
      const changes: Change[] = book.member(volunteers[joins] ?? '') ? [] : [joinedAs(joins)]
      for (const change of changes) book.apply(change, day)
      changes.push(...graduate(book, day))
      log.push(canonicalBytes({ schema: 'pyti.roster/1', day, changes, members: [] }))
    }
    if (closed) {
      const { outcome } = closed
      const isSettled = outcome === 'accepted' || outcome === 'known'
      close({ ...closed, accepted: isSettled ? closed.answers[0]?.answer : undefined })
    }
    for (let times = 0; works !== null && times < 25; times += 1) {
      close({ outcome: 'known', accepted: 'x', answers: [said(works, 'x')] })
    }
    const report = audit === null ? undefined : reported && book.report(reported)
    if (report && reported) {
      const run = said(5, audit === 'bears out' ? report.answer : sha256('another answer'))
      const used = audit === 'has other files' ? sha256('other files') : intake
      close({ outcome: 'trial', answers: [{ ...run, intake: used }], repeats: reported })
    }
    for (let run = 0; trials && run < trials.runs; run += 1) {
      const [suspicion] = book.suspicions()
      if (!suspicion) break
      const across = run === trials.bearOut ? suspicion.answer : sha256('other')
      close({ outcome: 'trial', answers: [said(5 + (run % 2), across)], repeats: suspicion.job })
    }
  }
  return log
}

function stateOf(book: Book, day: number) {
  const pairs = volunteers.flatMap((a, at) => volunteers.slice(at + 1).map(b => [a, b].sort()))
  return {
    members: [...book.members()],
    live: book.restingOn(volunteers),
    riskiest: book.riskiest(),
    left: book.graduationsLeft(day),
    operators: volunteers.map(volunteer => book.operatedWith(volunteer)),
    suspicions: [...book.suspicions()],
    alone: pairs.map(([a = '', b = '']) => book.aloneTogether([a, b])),
  }
}

test('replaying the documents of the log on a fresh book gives an equal book, which lives on alike', () => {
  const steps = fc.array(anyStep, { maxLength: 50 })
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(steps, steps, (past, future) => {
      const book = new Book()
      const replayed = new Book()
      for (const n of [0, 1, 2, 5, 6, 8]) for (const one of [book, replayed]) one.apply(joinedAs(n), start)
      let day = start
      for (const bytes of live(book, past)) {
        const document = readDocument(bytes)
        if (document.schema !== 'pyti.close/1' && document.schema !== 'pyti.roster/1') assert.fail()
        day = document.day
        for (const change of document.changes) {
          replayed.apply(change, day)
          seen.set(change.type, (seen.get(change.type) ?? 0) + 1)
        }
      }
      assert.deepEqual(stateOf(replayed, day), stateOf(book, day))
      const text = (documents: Uint8Array[]) => documents.map(bytes => Buffer.from(bytes).toString())
      assert.deepEqual(text(live(replayed, future)), text(live(book, future)))
    }),
    { seed, numRuns: 200 },
  )
  for (const type of [
    'banned',
    'withdrawn',
    'suspected',
    'tried',
    'alike',
    'graduated',
    'rests-on',
    'audited',
  ])
    assert.ok((seen.get(type) ?? 0) > 4, `${type} was replayed ${seen.get(type)} times`)
})
