import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDocument } from '../../src/attest/documents.ts'
import {
  aloneTogetherMax,
  Book,
  establishedChecks,
  establishedDays,
  mayGraduate,
  ringRuns,
  strikesOut,
  tagsOf,
} from '../../src/consensus/book.ts'
import { graduate } from '../../src/consensus/consequences.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { testIdentity } from '../helpers/raw-data.ts'

const start = 20_000

interface Arrival {
  operator?: string
  network?: string
  vouched?: 'founder' | 'referee'
}

function join(book: Book, volunteer: string, day = start, { operator, network = '', vouched }: Arrival = {}) {
  const change = { type: 'joined', volunteer, operator: operator ?? `of ${volunteer}`, network } as const
  book.apply(vouched ? { ...change, vouched } : change, day)
}

function answer(
  book: Book,
  volunteer: string,
  result: 'checked' | 'refuted' | 'open',
  day: number,
  times = 1,
) {
  for (let n = 0; n < times; n += 1) book.apply({ type: 'answered', volunteer, result }, day)
}

const member = (book: Book, volunteer: string) => book.member(volunteer) ?? assert.fail(`no ${volunteer}`)
const isEstablished = (book: Book, volunteer: string, day: number) =>
  book.isEstablished(member(book, volunteer), day)

function bookOf(founders: number): Book {
  const book = new Book()
  for (let n = 0; n < founders; n += 1) join(book, `founder ${n}`, start, { vouched: 'founder' })
  return book
}

/** Newcomers that have all done enough on the day. */
function readyNewcomers(book: Book, count: number, since: number): void {
  for (let n = 0; n < count; n += 1) {
    join(book, `newcomer ${n}`, since)
    answer(book, `newcomer ${n}`, 'checked', since + establishedDays, 30)
  }
}

const establishedOn = (book: Book, day: number) =>
  [...book.members()].filter(one => book.isEstablished(one, day)).length

test('who is vouched for counts at once, and no longer after 91 days without work', () => {
  const book = bookOf(1)
  assert.equal(isEstablished(book, 'founder 0', start), true)
  assert.equal(isEstablished(book, 'founder 0', start + 89), true)
  assert.equal(isEstablished(book, 'founder 0', start + 91), false)
  answer(book, 'founder 0', 'checked', start + 91, 1)
  assert.equal(isEstablished(book, 'founder 0', start + 91), true, 'work brings it back')
})

test('a newcomer counts after 20 checks and 14 days, not before', () => {
  const book = bookOf(1)
  join(book, 'early')
  answer(book, 'early', 'checked', start, 40)
  join(book, 'idle')
  answer(book, 'idle', 'checked', start + 13, 19)
  assert.deepEqual(graduate(book, start + 13), [])
  assert.equal(isEstablished(book, 'early', start + 13), false)
  assert.deepEqual(graduate(book, start + 14), [{ type: 'graduated', volunteer: 'early' }])
  assert.equal(mayGraduate(member(book, 'idle'), start + 14), false)
  assert.equal(isEstablished(book, 'early', start + 14), true)
  assert.equal(mayGraduate(member(book, 'early'), start + 30), false, 'nobody graduates twice')
})

test('checks that faded do not graduate anybody', () => {
  const book = bookOf(1)
  join(book, 'faded')
  answer(book, 'faded', 'checked', start, 20)
  assert.equal(member(book, 'faded').standing.checks, establishedChecks)
  assert.deepEqual(graduate(book, start + establishedDays), [])
})

test('joining again changes nothing', () => {
  const book = bookOf(1)
  const before = member(book, 'founder 0')
  join(book, 'founder 0', start + 1, { operator: 'somebody else' })
  assert.deepEqual(member(book, 'founder 0'), before)
  assert.deepEqual(book.operatedWith('founder 0'), ['founder 0'])
})

test('what happens to somebody unknown does nothing', () => {
  const book = new Book()
  answer(book, 'stranger', 'checked', start)
  book.apply({ type: 'graduated', volunteer: 'stranger' }, start)
  book.apply({ type: 'banned', volunteer: 'stranger', why: 'strikes' }, start)
  book.apply({ type: 'withdrawn', job: 'unknown' }, start)
  assert.deepEqual([...book.members()], [])
  assert.deepEqual(book.operatedWith('stranger'), ['stranger'])
})

for (const [founders, room] of [
  [1, 1],
  [20, 1],
  [39, 1],
  [40, 2],
  [200, 10],
] as const)
  test(`of a pool of ${founders}, ${room} may be added a week, however often one asks`, () => {
    const book = bookOf(founders)
    readyNewcomers(book, 40, start)
    const monday = Math.ceil((start + establishedDays) / 7) * 7
    const graduates = Array.from({ length: 7 }, (_, day) => graduate(book, monday + day)).flat()
    assert.equal(graduates.length, room)
    assert.equal(book.graduationsLeft(monday + 6), 0)
    assert.ok(book.graduationsLeft(monday + 7) >= 1, 'the next week has room again')
  })

test('the pool never grows by more than 5 % a week, over 30 weeks, the oldest first', () => {
  const book = bookOf(50)
  for (let n = 0; n < 400; n += 1) join(book, `newcomer ${n}`, start + (n % 7))
  const order: string[] = []
  for (let day = start + 14; day < start + 14 + 210; ) {
    const before = establishedOn(book, day)
    const weekEnds = (Math.floor(day / 7) + 1) * 7
    for (; day < weekEnds; day += 1) {
      for (const one of [...book.members()]) answer(book, one.volunteer, 'checked', day)
      for (const change of graduate(book, day)) if (change.type === 'graduated') order.push(change.volunteer)
    }
    const grown = establishedOn(book, weekEnds - 1) - before
    assert.ok(grown <= Math.max(1, before * 0.05), `${grown} on top of ${before}`)
  }
  assert.ok(order.length > 100, `${order.length} graduated`)
  const since = order.map(volunteer => member(book, volunteer).since)
  // Those that came on one day graduate in the order of their names, whichever had its 20 checks first.
  assert.deepEqual(
    since.slice(20),
    since.slice(20).sort((a, b) => a - b),
  )
})

test('referees and those who do not work any more are none of the pool that grows', () => {
  const book = bookOf(100)
  for (let n = 0; n < 100; n += 1) join(book, `referee ${n}`, start, { vouched: 'referee' })
  const later = Math.ceil((start + 120) / 7) * 7
  readyNewcomers(book, 40, later - establishedDays)
  assert.equal(establishedOn(book, later), 0)
  assert.equal(graduate(book, later).length, 1)
})

test('bans in a week do not make room, nor take it back', () => {
  const book = bookOf(100)
  readyNewcomers(book, 40, start)
  const monday = Math.ceil((start + establishedDays) / 7) * 7
  assert.equal(graduate(book, monday).length, 5)
  for (let n = 0; n < 5; n += 1)
    book.apply({ type: 'banned', volunteer: `founder ${n}`, why: 'ring' }, monday)
  assert.equal(graduate(book, monday + 1).length, 0)
})

for (const [strikes, votes, out] of [
  [3, 3, false],
  [4, 4, true],
  [4, 99, true],
  [4, 100, false],
  [5, 125, false],
  [5, 124, true],
] as const)
  test(`${strikes} strikes in ${votes} answers are ${out ? '' : 'not '}too many`, () => {
    const book = bookOf(1)
    answer(book, 'founder 0', 'refuted', start, strikes)
    answer(book, 'founder 0', 'checked', start, votes - strikes)
    assert.deepEqual([member(book, 'founder 0').strikes, member(book, 'founder 0').votes], [strikes, votes])
    assert.equal(strikesOut(member(book, 'founder 0')), out)
  })

test('a strike costs a third of the checks, and an answer nobody can judge costs nothing', () => {
  const book = bookOf(1)
  const { checks } = member(book, 'founder 0').standing
  answer(book, 'founder 0', 'open', start)
  assert.equal(member(book, 'founder 0').standing.checks, checks)
  answer(book, 'founder 0', 'refuted', start)
  assert.equal(member(book, 'founder 0').standing.checks, Math.floor((checks * 2) / 3))
})

test('who is banned stays banned, for the first reason, and never counts', () => {
  const book = bookOf(2)
  book.apply({ type: 'banned', volunteer: 'founder 0', why: 'ring' }, start)
  book.apply({ type: 'banned', volunteer: 'founder 0', why: 'strikes' }, start)
  assert.equal(member(book, 'founder 0').banned, 'ring')
  answer(book, 'founder 0', 'checked', start, 100)
  assert.equal(isEstablished(book, 'founder 0', start), false)
})

test('tags: operator, network where it says something, and standing alone together twice', () => {
  const book = new Book()
  join(book, 'a', start, { operator: 'org', network: '192.0.2.0/24' })
  join(book, 'b', start, { operator: 'org' })
  join(book, 'c')
  const pair: [string, string] = ['a', 'c']
  assert.deepEqual(tagsOf(member(book, 'a')), ['operator:org', 'network:192.0.2.0/24'])
  assert.deepEqual(tagsOf(member(book, 'b')), ['operator:org'])
  for (let times = 1; times < aloneTogetherMax; times += 1) book.apply({ type: 'alike', pair }, start)
  assert.deepEqual(member(book, 'a').alike, [], 'once is chance')
  book.apply({ type: 'alike', pair }, start)
  assert.deepEqual(member(book, 'a').alike, ['alike:a,c'])
  assert.deepEqual(tagsOf(member(book, 'c')), ['operator:of c', 'alike:a,c'])
  book.apply({ type: 'alike', pair }, start)
  assert.equal(member(book, 'a').alike.length, 1)
  assert.deepEqual(book.operatedWith('a'), ['a', 'b'])
})

test('tags of a member never outgrow what a roster holds', () => {
  const book = new Book()
  const [first, ...others] = Array.from({ length: 200 }, (_, n) => testIdentity(`alike ${n}`).peerId)
  if (first === undefined) assert.fail()
  for (const volunteer of [first, ...others]) join(book, volunteer, start, { operator: 'x', network: 'y' })
  for (const other of others)
    for (let times = 0; times < aloneTogetherMax; times += 1)
      book.apply({ type: 'alike', pair: [first, other] }, start)
  const { volunteer, operator } = member(book, first)
  const members = [
    {
      volunteer,
      operator,
      tags: tagsOf(member(book, first)),
      backends: ['uml' as const],
      cpu: 'x86-64-v3',
      weight: 4_000,
      established: false,
      referee: false,
    },
  ]
  const roster = { schema: 'pyti.roster/1', day: start, changes: [], members } as const
  assert.deepEqual(readDocument(canonicalBytes(roster)), roster)
  assert.ok(tagsOf(member(book, first)).includes(`alike:${first},${others.at(-1)}`), 'the newest is kept')
})

test('the riskiest report is the one with the largest share of banned winners that no referee has run again', () => {
  const book = bookOf(6)
  const rests = (job: string, ...winners: number[]) =>
    book.apply(
      { type: 'rests-on', job, winners: winners.map(n => `founder ${n}`), answer: 'x', intake: 'files' },
      start,
    )
  rests('third', 0, 3, 4)
  rests('quarter', 0, 2, 3, 4)
  rests('clean', 3, 4, 5)
  assert.equal(book.riskiest(), undefined)
  book.apply({ type: 'banned', volunteer: 'founder 0', why: 'ring' }, start)
  assert.equal(book.riskiest(), 'third')
  assert.equal(book.riskiest(new Set(['third'])), 'quarter', 'a referee is asked already')
  book.apply({ type: 'audited', job: 'third', result: 'borne-out' }, start)
  assert.equal(book.riskiest(), 'quarter')
  book.apply({ type: 'banned', volunteer: 'founder 4', why: 'ring' }, start)
  assert.equal(book.riskiest(), 'quarter', 'what was looked at is done')
  book.apply({ type: 'withdrawn', job: 'quarter' }, start)
  assert.equal(book.riskiest(), 'clean')
  assert.deepEqual(
    book.restingOn(['founder 4']).map(({ job, banned }) => [job, banned]),
    [
      ['clean', 1],
      ['third', 2],
    ],
  )
})

test('a suspicion ends with the run that bears it out, or with the last one that does not', () => {
  const book = bookOf(3)
  const suspect = (job: string) =>
    book.apply({ type: 'suspected', job, answer: 'x', intake: 'files', volunteers: ['founder 0'] }, start)
  const run = (job: string, bornOut: boolean) =>
    book.apply({ type: 'tried', job, result: bornOut ? 'borne-out' : 'refuted' }, start)
  suspect('one')
  suspect('two')
  run('unknown', false)
  for (let n = 1; n < ringRuns; n += 1) run('one', false)
  assert.equal(book.suspicion('one')?.refutedBy.length, ringRuns - 1)
  assert.equal(book.suspicion('two')?.refutedBy.length, 0)
  run('one', false)
  assert.equal(book.suspicion('one'), undefined)
  run('two', true)
  assert.deepEqual([...book.suspicions()], [])
})

test('a referee that a policy names no more is a newcomer, until one names it again', () => {
  const book = bookOf(2)
  for (const n of [1, 2]) join(book, `referee ${n}`, start, { vouched: 'referee' })
  answer(book, 'referee 1', 'checked', start, 30)
  assert.deepEqual(book.keepReferees(['referee 1', 'referee 2', 'founder 0']), [])
  assert.deepEqual(book.keepReferees(['referee 2', 'stranger']), ['referee 1'])
  assert.deepEqual([book.isReferee('referee 1'), book.isReferee('referee 2')], [false, true])
  assert.equal(isEstablished(book, 'referee 1', start), false)
  assert.equal(isEstablished(book, 'founder 0', start), true, 'founders keep what they have')
  answer(book, 'referee 1', 'checked', start + establishedDays, 20)
  assert.equal(mayGraduate(member(book, 'referee 1'), start + establishedDays), true, 'like any other')
  book.apply({ type: 'vouched', volunteer: 'referee 1', as: 'referee' }, start)
  assert.equal(book.isReferee('referee 1'), true)
  assert.equal(isEstablished(book, 'referee 1', start), true)
})
