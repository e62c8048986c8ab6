import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Book, type Change, ringRuns } from '../../src/consensus/book.ts'
import { type Answer, type Closed, inDoubt, settleClosed } from '../../src/consensus/consequences.ts'
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

const said = (volunteer: string, answer: string, role = roleOf(volunteer)): Answer => ({
  volunteer,
  role,
  answer,
  across: `${answer} across`,
  intake: answer.startsWith('yanked') ? 'fewer files' : 'files',
})

/** `{ right: 'abc', wrong: 'd' }`, or lists where names are longer. */
function answersOf(by: Record<string, string | readonly string[]>): Answer[] {
  return Object.entries(by).flatMap(([answer, who]) => [...who].map(volunteer => said(volunteer, answer)))
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
    quorum: 3,
  } as const
  return settleClosed(book, { ...closed, answers: answersOf(by), ...change }, today)
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
    const newcomer = close(book, { right: [] }, { ...known, answers: [said('n1', 'right', 'seat')] })
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
        fc.property(scene, all => {
          const book = newBook()
          const before = [...book.members()]
          const answers = all.map(one => said(one.volunteer, one.answer))
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

/** Referees run the last job again. @returns what follows from the last of them */
function tryAgain(book: Book, answer: string, times = ringRuns, referees = ['r1', 'r2']): Change[] {
  const repeats = `job ${jobs}`
  let changes: Change[] = []
  for (let n = 0; n < times; n += 1) {
    const answers = [said(referees[n % referees.length] ?? '', answer, 'seat')]
    const closed = { job: `trial ${n} of ${repeats}`, outcome: 'trial', quorum: 1, repeats, answers } as const
    changes = settleClosed(book, closed, today)
  }
  return changes
}

const suspected = (changes: readonly Change[]) =>
  changes.flatMap(one => (one.type === 'suspected' ? [one.volunteers.join('')] : []))

describe('rings', () => {
  test('so many that they would have been a report are suspected, if a referee ran the job', () => {
    const suspectedOf = (by: Parameters<typeof close>[1], quorum = 3) =>
      suspected(close(newBook(), by, { quorum }))
    assert.deepEqual(suspectedOf({ right: 'abc', lie: 'fed' }), [], 'no referee')
    assert.deepEqual(suspectedOf({ right: ['a', 'r1'], lie: 'fed' }), ['def'])
    assert.deepEqual(suspectedOf({ right: ['a', 'r1'], lie: 'de' }, 2), [], 'two may share a quirk')
    assert.deepEqual(suspectedOf({ right: ['a', 'r1'], lie: 'def' }, 4), [])
    assert.deepEqual(suspectedOf({ right: ['a', 'r1'], lie: 'def', other: 'ghij' }), ['ghij'], 'the largest')
    assert.deepEqual(suspectedOf({ right: 'abc', lie: ['d', 'e', 'f', 'r1'] }), [])
  })

  test('nobody is suspected where nothing was accepted, or where the answer was known', () => {
    for (const outcome of ['flaky', 'unresolved'] as const) {
      const by = { x: ['a', 'b', 'c', 'r1'], y: ['d', 'e', 'f', 'r2'] }
      assert.deepEqual(suspected(close(newBook(), by, { outcome, accepted: undefined })), [])
    }
    const known = close(newBook(), { right: ['a', 'r1'], lie: 'def' }, { outcome: 'known' })
    assert.deepEqual(suspected(known), [])
  })

  test('they are banned when no referee of many bears them out, with all machines of their operators', () => {
    const book = newBook({ d: 'org', g: 'org', n1: 'org', e: 'other', h: 'other' })
    assert.deepEqual(bans(close(book, { right: ['a', 'r1'], lie: 'def' })), [], 'not yet')
    assert.deepEqual(bans(tryAgain(book, 'right', ringRuns - 1)), [])
    const changes = tryAgain(book, 'right', 1)
    assert.deepEqual(bans(changes), ['d ring', 'g ring', 'n1 ring', 'e ring', 'h ring', 'f ring'])
    assert.deepEqual(results(changes), { r1: 'open' })
    assert.deepEqual(bans(tryAgain(book, 'right', 3)), [], 'it is over')
  })

  test('one run that bears them out, however late, saves them all', () => {
    const book = newBook()
    close(book, { right: ['a', 'r1'], lie: 'def' })
    tryAgain(book, 'right', ringRuns - 1)
    assert.deepEqual(tryAgain(book, 'lie', 1)[0], {
      type: 'tried',
      job: `job ${jobs}`,
      result: 'borne-out',
      referee: 'r1',
    })
    assert.deepEqual(bans(tryAgain(book, 'right')), [])
    assert.equal(book.member('d')?.banned, undefined)
  })

  test('a run of a job without a report, in which nobody is suspected, does nothing', () => {
    const book = newBook()
    close(book, { right: 'abc' }, { outcome: 'unresolved', accepted: undefined })
    assert.deepEqual(tryAgain(book, 'x', 1), [{ type: 'answered', volunteer: 'r1', result: 'open' }])
  })

  test('what is compared is what does not differ from job to job', () => {
    const book = newBook()
    close(book, { right: ['a', 'r1'], lie: 'def' })
    assert.equal(book.suspicion(`job ${jobs}`)?.answer, 'lie across')
  })
})

describe('audits of reports', () => {
  const audits = (changes: readonly Change[]) =>
    changes.flatMap(one => (one.type === 'audited' ? [one.result] : []))

  test('a referee that says the same ends it, and is asked no more', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    const changes = tryAgain(book, 'right', 1)
    assert.deepEqual(audits(changes), ['borne-out'])
    assert.deepEqual(suspected(changes), [])
    assert.deepEqual(audits(tryAgain(book, 'lie', 1)), [])
  })

  test('one that does not makes all suspected on whom the report rests; when no other does they fall with it', () => {
    const book = newBook()
    close(book, { lie: 'abc' }, { accepted: 'lie' })
    const job = `job ${jobs}`
    const first = tryAgain(book, 'right', 1)
    assert.deepEqual([audits(first), suspected(first)], [['refuted'], ['abc']])
    assert.deepEqual(bans(tryAgain(book, 'right', ringRuns - 2)), [])
    const last = tryAgain(book, 'right', 1)
    assert.deepEqual(bans(last), ['a ring', 'b ring', 'c ring'])
    assert.deepEqual(withdrawn(last), [job])
  })

  test('one that does not, and another that does: the job does not repeat', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    tryAgain(book, 'other', 1)
    const changes = tryAgain(book, 'right', 1)
    assert.deepEqual(changes[0], {
      type: 'tried',
      job: `job ${jobs}`,
      result: 'borne-out',
      referee: 'r1',
    })
    assert.deepEqual([bans(tryAgain(book, 'other', ringRuns)), withdrawn(changes)], [[], []])
  })

  test('nobody is suspected for files that were yanked since, however late it shows', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    const changes = tryAgain(book, 'yanked', 1)
    assert.deepEqual([audits(changes), suspected(changes)], [['other-intake'], []])

    close(book, { right: 'def' })
    assert.deepEqual(suspected(tryAgain(book, 'other', 1)), ['def'])
    const [tried] = tryAgain(book, 'yanked', 1)
    assert.equal(tried?.type === 'tried' && tried.result, 'other-intake')
    assert.deepEqual([...book.suspicions()], [])
    assert.deepEqual(bans(tryAgain(book, 'other')), [])
  })

  test('one referee alone, whatever is wrong with it, brings nobody down', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    assert.deepEqual(bans(tryAgain(book, 'broken', ringRuns, ['r1'])), [])
    assert.deepEqual([...book.suspicions()], [])
  })

  test('where a referee said the same, another that does not makes nobody suspected', () => {
    const book = newBook()
    close(book, { right: ['a', 'b', 'r3'] })
    const changes = tryAgain(book, 'other', 1)
    assert.deepEqual([audits(changes), suspected(changes)], [['refuted'], []])
  })

  test('where no referee can run the job any more, nobody stays suspected', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    tryAgain(book, 'other', 1)
    const repeats = `job ${jobs}`
    const lost = { outcome: 'unresolved', quorum: 1, repeats, answers: [] } as const
    for (let n = 0; n < 10; n += 1) {
      assert.equal([...book.suspicions()].length, 1, `after ${n} runs`)
      const [tried] = settleClosed(book, { ...lost, job: `lost ${n}` }, today)
      assert.deepEqual(tried, { type: 'tried', job: repeats, result: 'unresolved' })
    }
    assert.deepEqual([...book.suspicions()], [])
  })
})

describe('referees that a policy names no more', () => {
  test('convict nobody from then on: neither by a trial that ends later, nor by those before it', () => {
    const book = newBook()
    close(book, { lie: 'abc' }, { accepted: 'lie' })
    tryAgain(book, 'right', ringRuns - 1)
    assert.deepEqual(book.keepReferees(['r2', 'r3', 'r4', 'r5']), ['r1'])
    const late = tryAgain(book, 'right', 1)
    assert.deepEqual(late[0], { type: 'tried', job: `job ${jobs}`, result: 'unresolved' })
    assert.equal(book.suspicion(`job ${jobs}`)?.refutedBy.length, 12, 'those of the others count')
    const [, r2, r3] = ['r1', 'r2', 'r3']
    assert.deepEqual(bans(tryAgain(book, 'right', 12, [r2 ?? '', r3 ?? ''])), [])
    assert.deepEqual(bans(tryAgain(book, 'right', 1, ['r3'])), ['a ring', 'b ring', 'c ring'])
  })

  test('have not audited the report whose trial ends later', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    book.keepReferees([])
    assert.deepEqual(tryAgain(book, 'right', 1), [{ type: 'answered', volunteer: 'r1', result: 'open' }])
    assert.equal(book.report(`job ${jobs}`)?.audited, false)
  })

  test('shield no report any more that rests on them', () => {
    const book = newBook()
    close(book, { right: ['a', 'b', 'r3'] })
    book.keepReferees(['r1', 'r2'])
    assert.deepEqual(suspected(tryAgain(book, 'other', 1)), ['abr3'])
  })

  test('leave behind what they did: bans, audits, withdrawals, reports', () => {
    const book = newBook()
    burn(book, 'def')
    close(book, { right: 'abc' })
    tryAgain(book, 'right', 1)
    const audited = book.report(`job ${jobs}`)
    const banned = () => [...book.members()].filter(one => one.banned).map(one => one.volunteer)
    assert.deepEqual(banned(), ['d', 'e', 'f'])
    book.keepReferees([])
    assert.deepEqual(banned(), ['d', 'e', 'f'])
    assert.deepEqual(book.report(`job ${jobs}`), audited)
    assert.equal(audited?.audited, true)
  })
})

describe('jobs to be made anew', () => {
  const job = () => `job ${jobs}`
  const doubted = (book: Book, changes: readonly Change[]) =>
    inDoubt(book, changes).map(one => [one.job, one.withdraw])

  test('one that a referee does not bear out where another had: it does not repeat', () => {
    const book = newBook()
    close(book, { right: ['a', 'b', 'r3'] })
    assert.deepEqual(doubted(book, tryAgain(book, 'other', 1)), [[job(), false]])
  })

  test('one whose suspects a referee bears out, once though it says two things', () => {
    const book = newBook()
    close(book, { right: ['a', 'b', 'c', 'r3'], other: 'def' })
    const changes = tryAgain(book, 'other', 1)
    assert.deepEqual(
      changes.slice(0, 2).map(({ type }) => type),
      ['audited', 'tried'],
    )
    assert.deepEqual(doubted(book, changes), [[job(), false]])
  })

  test('none that is borne out, or still looked into; one that falls with a ring is withdrawn', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    assert.deepEqual(doubted(book, tryAgain(book, 'right', 1)), [])
    close(book, { lie: 'def' }, { accepted: 'lie' })
    assert.deepEqual(doubted(book, tryAgain(book, 'right', ringRuns - 1)), [])
    assert.deepEqual(doubted(book, tryAgain(book, 'right', 1)), [[job(), true]])
  })

  test('one that cannot be compared any more, or that one referee alone refuted', () => {
    const book = newBook()
    close(book, { right: 'abc' })
    assert.deepEqual(doubted(book, tryAgain(book, 'yanked', 1)), [[job(), false]])
    close(book, { right: 'abc' })
    assert.deepEqual(doubted(book, tryAgain(book, 'broken', ringRuns, ['r1'])), [[job(), false]])
  })
})

describe('strikes', () => {
  test('the fourth is out, unless it is one of very many answers; other machines of the operator too', () => {
    const book = newBook({ d: 'org', e: 'org' })
    for (let n = 1; n <= 3; n += 1)
      assert.deepEqual(bans(close(book, { right: 'abc', [`lie ${n}`]: 'd' })), [])
    assert.deepEqual(bans(close(book, { right: 'abc', lie: 'd' })), ['d strikes', 'e strikes'])
    const diligent = newBook()
    for (let n = 0; n < 100; n += 1) close(diligent, { right: 'abd' })
    for (let n = 0; n < 4; n += 1) assert.deepEqual(bans(close(diligent, { right: 'abc', lie: 'd' })), [])
    assert.equal(diligent.member('d')?.strikes, 4)
    assert.deepEqual(bans(close(diligent, { right: 'abc', lie: 'd' })), ['d strikes'], '5 of 105')
  })

  test('known answers strike too', () => {
    const book = newBook()
    const wrong = () => bans(close(book, { wrong: 'd' }, { outcome: 'known' }))
    assert.deepEqual([wrong(), wrong(), wrong(), wrong()], [[], [], [], ['d strikes']])
  })

  test('a referee is never banned for an answer', () => {
    const book = newBook()
    for (let n = 0; n < 6; n += 1)
      assert.deepEqual(bans(close(book, { right: ['a', 'r1'], lie: ['r2'] })), [])
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
        for (const all of history) {
          const answers = all.map(one => said(one.volunteer, one.answer))
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

/** Has them tell one lie, and be banned for it. @returns everything that followed */
function burn(book: Book, liars: string): Change[] {
  const changes = close(book, { right: ['a', 'r1'], lie: liars })
  return [...changes, ...tryAgain(book, 'right')]
}

describe('backtracking', () => {
  const report = (book: Book, who: string) => {
    close(book, { right: who })
    return `job ${jobs}`
  }

  test('reports where half of those they rest on are banned fall, others stay', () => {
    const book = newBook()
    const all = report(book, 'def')
    const stay = [report(book, 'dhijk'), report(book, 'dhi'), report(book, 'abc')]
    const half = report(book, 'dehi')
    assert.deepEqual(withdrawn(burn(book, 'def')).sort(), [all, half].sort())
    const live = book.restingOn([...'abcdefghijk']).map(({ job }) => job)
    assert.equal(live.filter(job => stay.includes(job)).length, 3)
    assert.equal(book.riskiest(), stay[1])
  })

  test('a report that a later ban tips over falls then, and only once', () => {
    const book = newBook()
    const tipped = report(book, 'dghi')
    assert.deepEqual(withdrawn(burn(book, 'def')), [])
    assert.deepEqual(withdrawn(burn(book, 'gjk')), [tipped])
    assert.deepEqual(withdrawn(burn(book, 'hil')), [])
  })

  test('a report of a job that was under way when its volunteers were banned falls at once', () => {
    const book = newBook()
    burn(book, 'def')
    const late = close(book, { right: 'deg' })
    assert.deepEqual(withdrawn(late), [`job ${jobs}`])
    assert.deepEqual(late.map(({ type }) => type).slice(-2), ['rests-on', 'withdrawn'])
    const risky = report(book, 'dgh')
    assert.equal(book.riskiest(), risky, 'where they are fewer it is looked at again')
  })

  test('over random histories: withdrawn is exactly what rests on banned ones by half, each report once', () => {
    const step = fc.record({
      winners: fc.uniqueArray(fc.constantFrom(...'abcdefghijkl'), { minLength: 2, maxLength: 6 }),
      liars: fc.uniqueArray(fc.constantFrom(...'abcdefghijkl'), { maxLength: 6 }),
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
          if (suspected(changes).length > 0) changes.push(...tryAgain(book, 'right'))
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
      { seed, numRuns: 200 },
    )
    assert.ok(fallen > 300, `${fallen} reports fell`)
  })
})
