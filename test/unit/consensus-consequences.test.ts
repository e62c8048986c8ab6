import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Book, type Change } from '../../src/consensus/book.ts'
import { type Answer, type Closed, settleClosed } from '../../src/consensus/consequences.ts'
import type { Role } from '../../src/consensus/decide.ts'

const seed = 20_261_120
const today = 20_000

/** Founders `a` to `p`, each of an operator of its own, referees `r1` to `r5`, newcomers `n1` to `n3`. */
function newBook(operators: Record<string, string> = {}): Book {
  const book = new Book()
  const join = (volunteer: string, vouched?: 'founder' | 'referee') => {
    const operator = operators[volunteer] ?? `of ${volunteer}`
    const change = { type: 'joined', volunteer, operator, network: '' } as const
    book.apply(vouched ? { ...change, vouched } : change, today)
  }
  for (const volunteer of 'abcdefghijklmnop') join(volunteer, 'founder')
  for (const n of [1, 2, 3, 4, 5]) join(`r${n}`, 'referee')
  for (const n of [1, 2, 3]) join(`n${n}`)
  return book
}

const roleOf = (volunteer: string): Role =>
  volunteer.startsWith('r') && volunteer.length > 1 ? 'referee' : /^n\d/.test(volunteer) ? 'shadow' : 'seat'

/** `{ right: 'abc', wrong: 'd' }`, or lists where names are longer. */
function answersOf(by: Record<string, string | readonly string[]>): Answer[] {
  return Object.entries(by).flatMap(([answer, who]) =>
    [...who].map(volunteer => ({ volunteer, role: roleOf(volunteer), answer })),
  )
}

let jobs = 0
function close(
  book: Book,
  by: Record<string, string | readonly string[]>,
  change: Partial<Closed> = {},
): Change[] {
  jobs += 1
  const closed = {
    job: `job ${jobs}`,
    outcome: 'accepted',
    accepted: 'right',
    answers: answersOf(by),
  } as const
  return settleClosed(book, { ...closed, ...change }, today)
}

const results = (changes: readonly Change[]) =>
  Object.fromEntries(changes.flatMap(one => (one.type === 'answered' ? [[one.volunteer, one.result]] : [])))
const bans = (changes: readonly Change[]) =>
  changes.flatMap(one => (one.type === 'banned' ? [`${one.volunteer} ${one.why}`] : []))
const withdrawn = (changes: readonly Change[]) =>
  changes.flatMap(one => (one.type === 'withdrawn' ? [one.job] : []))
const alike = (changes: readonly Change[]) =>
  changes.flatMap(one => (one.type === 'alike' ? [one.pair.join('')] : []))

describe('what an answer is worth', () => {
  test('two other operators that say the same make it a check, one other does not', () => {
    assert.deepEqual(results(close(newBook(), { right: 'abc' })), {
      a: 'checked',
      b: 'checked',
      c: 'checked',
    })
    assert.deepEqual(results(close(newBook(), { right: 'ab' })), { a: 'open', b: 'open' })
  })

  test('machines of one operator do not bear out each other', () => {
    const book = newBook({ a: 'one', b: 'one' })
    assert.deepEqual(results(close(book, { right: 'abc' })), { a: 'open', b: 'open', c: 'open' })
  })

  test('a referee that says the same makes it a check; it needs two others itself', () => {
    const two = results(close(newBook(), { right: ['a', 'r1'] }))
    assert.deepEqual(two, { a: 'checked', r1: 'open' })
    assert.equal(results(close(newBook(), { right: ['a', 'b', 'r1'] })).r1, 'checked')
  })

  test('a newcomer in a shadow seat is checked, and bears out nobody', () => {
    const changes = close(newBook(), { right: ['a', 'b', 'n1'] })
    assert.deepEqual(results(changes), { a: 'open', b: 'open', n1: 'checked' })
    const wrong = close(newBook(), { right: ['a', 'b', 'c'], wrong: ['n1'] })
    assert.equal(results(wrong).n1, 'refuted')
    const alone = close(newBook(), { right: ['a', 'n1', 'n2'] })
    assert.deepEqual(results(alone), { a: 'open', n1: 'open', n2: 'open' })
  })

  test('a report never rests on a shadow seat', () => {
    const changes = close(newBook(), { right: ['c', 'n1', 'a', 'b'] })
    const rests = changes.find(one => one.type === 'rests-on')
    assert.deepEqual(rests?.winners, ['a', 'b', 'c'])
  })

  test('a known answer is a check by itself, and a wrong one a strike', () => {
    const known = { outcome: 'known' } as const
    const book = newBook()
    const right = close(book, { right: 'a' }, known)
    assert.deepEqual(right, [{ type: 'answered', volunteer: 'a', result: 'checked' }])
    const wrong = close(book, { wrong: 'b' }, known)
    assert.deepEqual(wrong, [{ type: 'answered', volunteer: 'b', result: 'refuted' }])
    assert.equal(book.member('b')?.strikes, 1)
    const newcomer = close(
      book,
      { right: [] },
      { ...known, answers: [{ volunteer: 'n1', role: 'seat', answer: 'right' }] },
    )
    assert.deepEqual(results(newcomer), { n1: 'checked' })
  })
})

describe('jobs without an accepted answer', () => {
  for (const outcome of ['flaky', 'unresolved'] as const)
    test(`${outcome}: nobody is struck, banned or credited, and nothing rests on anybody`, () => {
      const answer = fc.record({
        volunteer: fc.constantFrom(...'abcdefghij', 'r1', 'r2', 'n1', 'n2'),
        answer: fc.constantFrom('x', 'y', 'z'),
      })
      const scene = fc.uniqueArray(answer, { maxLength: 12, selector: one => one.volunteer })
      fc.assert(
        fc.property(scene, said => {
          const book = newBook()
          const before = [...book.members()]
          const answers = said.map(one => ({ ...one, role: roleOf(one.volunteer) }))
          const changes = close(book, {}, { outcome, accepted: undefined, answers })
          assert.ok(changes.every(({ type }) => type === 'answered' || type === 'alike'))
          assert.ok(Object.values(results(changes)).every(result => result === 'open'))
          for (const { volunteer, standing, strikes, banned } of before) {
            const after = book.member(volunteer)
            assert.deepEqual([after?.standing, after?.strikes, after?.banned], [standing, strikes, banned])
          }
        }),
        { seed, numRuns: 300 },
      )
    })

  test('what a referee or a third one saw too makes nobody stand alone', () => {
    const flaky = { outcome: 'flaky', accepted: undefined } as const
    assert.deepEqual(alike(close(newBook(), { x: ['a', 'b', 'r1'], y: ['c', 'd', 'r2'] }, flaky)), [])
    assert.deepEqual(alike(close(newBook(), { x: 'abc', y: 'defgh' }, flaky)), [])
    assert.deepEqual(alike(close(newBook(), { x: 'abc' }, { ...flaky, outcome: 'unresolved' })), [])
    assert.deepEqual(alike(close(newBook(), { x: 'ab' }, { ...flaky, outcome: 'unresolved' })), [])
  })

  test('an answer that two alone gave is noted', () => {
    const changes = close(
      newBook(),
      { x: 'fb', y: 'acdeg', z: 'h' },
      { outcome: 'flaky', accepted: undefined },
    )
    assert.deepEqual(alike(changes), ['bf'])
  })
})

describe('standing alone together', () => {
  test('every pair that told one refuted answer is noted, twice and no more', () => {
    const book = newBook()
    const lie = () => alike(close(book, { right: 'abc', wrong: 'fed', other: 'g' }))
    assert.deepEqual(lie(), ['de', 'df', 'ef'])
    assert.deepEqual(book.member('d')?.alike, [])
    assert.deepEqual(lie(), ['de', 'df', 'ef'])
    assert.deepEqual(book.member('d')?.alike, ['alike:d,e', 'alike:d,f'])
    assert.deepEqual(lie(), [])
  })

  test('a shadow seat counts here too, a referee does not', () => {
    assert.deepEqual(alike(close(newBook(), { right: 'abc', wrong: ['d', 'n1'] })), ['dn1'])
    assert.deepEqual(alike(close(newBook(), { right: 'abc', wrong: ['d', 'e', 'r1'] })), [])
  })
})

describe('bans', () => {
  test('two that told one lie are a ring, if a referee ran the job', () => {
    assert.deepEqual(bans(close(newBook(), { right: 'abc', lie: 'de' })), [])
    assert.deepEqual(bans(close(newBook(), { right: ['a', 'r1'], lie: 'de' })), ['d ring', 'e ring'])
    assert.deepEqual(bans(close(newBook(), { right: ['a', 'r1'], lie: 'd', other: 'e' })), [])
    assert.deepEqual(bans(close(newBook(), { right: ['a', 'r1'], lie: ['d', 'n1'] })), ['d ring', 'n1 ring'])
  })

  test('a referee whose own answer was not accepted makes no ring, and is none', () => {
    assert.deepEqual(bans(close(newBook(), { right: 'abc', lie: ['d', 'e', 'r1'] })), [])
    assert.deepEqual(bans(close(newBook(), { right: ['a', 'r1'], lie: ['r2', 'r3'] })), [])
  })

  test('all machines of their operators go with them, each once', () => {
    const book = newBook({ d: 'org', f: 'org', n1: 'org', e: 'other', g: 'other' })
    const changes = close(book, { right: ['a', 'r1'], lie: 'de' })
    assert.deepEqual(bans(changes), ['d ring', 'f ring', 'n1 ring', 'e ring', 'g ring'])
    assert.deepEqual(bans(close(book, { right: ['a', 'r1'], lie: 'fg' })), [], 'they are banned already')
  })

  test('the fourth strike is out, unless it is one of very many answers', () => {
    const book = newBook()
    for (let n = 1; n <= 3; n += 1)
      assert.deepEqual(bans(close(book, { right: 'abc', [`lie ${n}`]: 'd' })), [])
    assert.deepEqual(bans(close(book, { right: 'abc', lie: 'd' })), ['d strikes'])
    const diligent = newBook()
    for (let n = 0; n < 200; n += 1) close(diligent, { right: 'abd' })
    for (let n = 0; n < 4; n += 1) assert.deepEqual(bans(close(diligent, { right: 'abc', lie: 'd' })), [])
    assert.equal(diligent.member('d')?.strikes, 4)
    assert.deepEqual(bans(close(diligent, { right: 'abc', lie: 'd' })), ['d strikes'], '5 of 205')
  })

  test('nobody whose answer was accepted is ever banned for it', () => {
    const scene = fc.array(
      fc.uniqueArray(
        fc.record({
          volunteer: fc.constantFrom(...'abcdefgh', 'r1', 'n1'),
          answer: fc.constantFrom('right', 'right', 'lie', 'other'),
        }),
        { minLength: 3, maxLength: 8, selector: one => one.volunteer },
      ),
      { maxLength: 25 },
    )
    fc.assert(
      fc.property(scene, history => {
        const book = newBook()
        for (const said of history) {
          const answers = said.map(one => ({ ...one, role: roleOf(one.volunteer) }))
          const changes = close(book, {}, { answers })
          for (const { volunteer, answer } of answers)
            if (answer === 'right')
              assert.ok(!bans(changes).some(ban => ban.startsWith(`${volunteer} `)), volunteer)
        }
      }),
      { seed, numRuns: 300 },
    )
  })
})

describe('backtracking', () => {
  test('reports where half of those they rest on are banned fall, others stay', () => {
    const book = newBook()
    const report = (who: string) => {
      close(book, { right: who })
      return `job ${jobs}`
    }
    const [all, two, third, none] = [report('de'), report('dfgh'), report('dfg'), report('abc')]
    const both = report('defg')
    const changes = close(book, { right: ['a', 'r1'], lie: 'de' })
    assert.deepEqual(withdrawn(changes).sort(), [all, both].sort())
    const live = book.restingOn([...'abcdefgh']).map(({ job }) => job)
    assert.deepEqual(live.filter(job => [two, third, none].includes(job)).sort(), [two, third, none].sort())
    assert.equal(book.riskiest(), third)
  })

  test('a report that a later ban tips over falls then, and only once', () => {
    const book = newBook()
    close(book, { right: 'defg' })
    const tipped = `job ${jobs}`
    assert.deepEqual(withdrawn(close(book, { right: ['a', 'r1'], lie: 'dh' })), [])
    assert.deepEqual(withdrawn(close(book, { right: ['a', 'r1'], lie: 'ei' })), [tipped])
    assert.deepEqual(withdrawn(close(book, { right: ['a', 'r1'], lie: 'fj' })), [])
  })

  test('a report of a job that was under way when its volunteers were banned falls at once', () => {
    const book = newBook()
    close(book, { right: ['a', 'r1'], lie: 'de' })
    const late = close(book, { right: 'deg' })
    assert.deepEqual(withdrawn(late), [`job ${jobs}`])
    assert.deepEqual(late.map(({ type }) => type).slice(-2), ['rests-on', 'withdrawn'])
    assert.deepEqual(withdrawn(close(book, { right: 'dfg' })), [])
    assert.equal(book.riskiest(), `job ${jobs}`, 'where they are fewer it is looked at again')
  })

  test('over random histories: withdrawn is exactly what rests on banned ones by half, each report once', () => {
    const step = fc.record({
      winners: fc.uniqueArray(fc.constantFrom(...'abcdefghijkl'), { minLength: 2, maxLength: 6 }),
      liars: fc.uniqueArray(fc.constantFrom(...'abcdefghijkl'), { maxLength: 3 }),
      refereed: fc.boolean(),
    })
    let fallen = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), history => {
        const book = newBook({ a: 'one', b: 'one', c: 'two', d: 'two' })
        const resting = new Map<string, readonly string[]>()
        const gone = new Set<string>()
        for (const { winners, liars, refereed } of history) {
          const right = [...winners, ...(refereed ? ['r1'] : [])]
          const changes = close(book, { right, lie: liars.filter(one => !winners.includes(one)) })
          for (const change of changes) {
            if (change.type === 'rests-on') resting.set(change.job, change.winners)
            if (change.type !== 'withdrawn') continue
            assert.ok(!gone.has(change.job), `${change.job} falls twice`)
            gone.add(change.job)
          }
          for (const [job, on] of resting) {
            const banned = on.filter(one => book.member(one)?.banned !== undefined).length
            assert.equal(gone.has(job), banned * 2 >= on.length, `${job} rests on ${on}`)
          }
        }
        fallen += gone.size
      }),
      { seed, numRuns: 500 },
    )
    assert.ok(fallen > 300, `${fallen} reports fell`)
  })
})
