import type { CloseDocument, Document } from '../../src/attest/documents.ts'
import { Book, type Change } from '../../src/consensus/book.ts'
import { graduate, settleClosed } from '../../src/consensus/consequences.ts'

/** Everything in the log about volunteers, computed again from its beginning. */
export interface BookModel {
  /** @param raw attestations that the log has for the job of a `close` document */
  onDocument(document: Document, raw: ReadonlySet<string>): void
  /** Jobs that have ended, by the log. */
  readonly closed: ReadonlyMap<string, CloseDocument>
  readonly withdrawn: ReadonlySet<string>
  readonly banned: ReadonlySet<string>
}

export interface BookModelOptions {
  fault(what: string): void
  /** Whether this volunteer, or another one of its operator, ever told a lie. */
  isLiar(volunteer: string): boolean
}

export function createBookModel({ fault, isLiar }: BookModelOptions): BookModel {
  const book = new Book()
  const closed = new Map<string, CloseDocument>()
  const withdrawn = new Set<string>()
  const banned = new Set<string>()

  const onClose = (document: CloseDocument, raw: ReadonlySet<string>) => {
    const { job, day, outcome, accepted, seats, changes } = document
    if (closed.has(job)) fault(`job ${job} is closed twice`)
    closed.set(job, document)
    const named = new Set(seats.flatMap(({ attestation }) => attestation ?? []))
    for (const attestation of raw)
      if (!named.has(attestation)) fault(`the end of job ${job} leaves out ${attestation}`)
    for (const attestation of named)
      if (!raw.has(attestation)) fault(`the end of job ${job} names ${attestation}, which is not in the log`)
    const answers = seats.flatMap(({ volunteer, role, answer }) =>
      answer === undefined ? [] : [{ volunteer, role, answer }],
    )
    const again = settleClosed(book, { job, outcome, answers, accepted }, day)
    const [missing, surplus] = [without(again, changes), without(changes, again)]
    if (missing.length + surplus.length > 0)
      fault(`the end of job ${job} does not follow: ${missing} is missing, ${surplus} is too much`)
    for (const change of changes) {
      if (change.type === 'banned' && !isLiar(change.volunteer))
        fault(`${change.volunteer} is banned for nothing`)
      if (change.type === 'banned') banned.add(change.volunteer)
      if (change.type === 'withdrawn') withdrawn.add(change.job)
    }
  }

  return {
    closed,
    withdrawn,
    banned,
    onDocument(document, raw) {
      if (document.schema === 'pyti.close/1') onClose(document, raw)
      if (document.schema !== 'pyti.roster/1') return
      const joined = document.changes.filter(change => change.type === 'joined')
      for (const change of joined) book.apply(change, document.day)
      const again = [...joined, ...graduate(book, document.day)]
      if (JSON.stringify(again) !== JSON.stringify(document.changes))
        fault('a roster does not follow from the log')
    },
  }
}

function without(some: readonly Change[], others: readonly Change[]): string[] {
  const known = new Set(others.map(change => JSON.stringify(change)))
  return some.map(change => JSON.stringify(change)).filter(change => !known.has(change))
}
