import { Book } from '../../consensus/book.ts'
import { messageOf } from '../../errors.ts'
import type { Envelope } from '../../wire/envelope.ts'
import type { CloseDocument, Document, PolicyDocument, RosterDocument, TaskDocument } from '../documents.ts'
import type { Fault } from '../faults.ts'
import type { Entry } from '../log/entry.ts'
import type { ReportStatement } from '../report-statement.ts'
import type { RootState } from '../root-state.ts'
import { type AuditFault, AuditList } from './audit-checks.ts'
import type { OpenLog } from './open-log.ts'
import type { Skipped } from './seats.ts'
import { fetchDocument, fetchEnvelope, type LogSource } from './source.ts'
import { Figures } from './statistics.ts'

/** What a log tells, one thing after the other, for whoever wants to hear more than the checks. */
export interface Listener {
  roster?(told: { index: number; roster: RosterDocument }): void
  /** `dismissed`: referees that it names no longer. */
  policy?(told: { index: number; dismissed: readonly string[] }): void
  report?(told: { index: number; id: string; statement: ReportStatement }): void
  close?(told: {
    index: number
    close: CloseDocument
    task: TaskDocument | undefined
    skipped: Skipped[]
  }): void
  withdrawal?(told: { index: number; report: string; job: string; because: string }): void
}

export interface Leaf {
  readonly index: number
  readonly entry: Entry
}

/** A policy, roster or beacon seen so far: enough to fetch it again. */
export interface Mark {
  readonly index: number
  readonly id: string
}

/** Makes a proof out of a roster that was logged later. */
export type Finish = (later: Leaf, roster: RosterDocument) => Promise<Fault>

export interface PendingRaw extends Leaf {
  /** The job it names, once it is out and was read. */
  job?: string
}

export interface SeenReport {
  readonly index: number
  readonly entry: Entry
  readonly envelope: Envelope
  readonly statement: ReportStatement
}

export interface Closed {
  readonly index: number
  readonly report: string | undefined
  readonly across: string | undefined
  /** Digest of the job without its nonce, where the job is out. */
  readonly asks: string | undefined
  /** It was drawn for. */
  readonly platform: string | undefined
  /** Digest of the operators that had a seat. */
  readonly operators: string
}

/** What a job that repeats another one says of it. */
export interface Claim {
  readonly index: number
  readonly asks: string | undefined
  readonly platform: string | undefined
  /** The one it calls known; a trial calls none so. */
  readonly answer: string | undefined
  /** Digest of the operators it leaves out. */
  readonly without: string
}

/**
 * What is remembered while a log is replayed. Grows with jobs that are open, volunteers and files, not with leaves; of a closed
 * job a number and a few digests stay.
 */
export interface AuditState {
  readonly source: LogSource
  readonly log: OpenLog
  readonly list: AuditList
  readonly figures: Figures
  readonly listener: Listener
  /** Documents of so many last leaves may still be on their way. */
  readonly tail: number
  /** Whether signatures of raw data are checked. */
  readonly envelopes: boolean
  readonly book: Book
  /** Until something of the book is missing or wrong: nothing can be told from there on. */
  bookKnown: boolean
  day: number
  /** Referees that a policy named no longer, and its leaf. */
  readonly dismissed: Map<string, number>
  policy: PolicyDocument | undefined
  readonly policies: Mark[]
  readonly rosters: Mark[]
  readonly rosterCache: Map<number, RosterDocument>
  /** `size`: leaves below it; rising. */
  readonly beacons: (Mark & { size: number; value: string | undefined })[]
  readonly tasks: Map<number, Leaf & { policy: PolicyDocument | undefined }>
  /** Raw data by the file it is about, then by attestation id, until its job ends. */
  readonly pending: Map<string, Map<string, PendingRaw>>
  /** The last report on each file. */
  readonly last: Map<string, { sequence: number; id: string }>
  /** Reports whose job has not ended yet. */
  readonly reports: Map<string, SeenReport>
  readonly closed: Map<string, Closed>
  /** Of jobs that repeat one that has not ended yet, by that one, which has to bear them out. */
  readonly known: Map<string, Claim[]>
  reportKey: string | undefined
  /** Which keys may sign, once the log has a document that says so. */
  root: RootState | undefined
  /** Faults that a roster after them would prove, with what else the proof needs. */
  readonly unproven: { fault: AuditFault; volunteer: string; index: number; finish: Finish }[]
  /** Withdrawals that the book has called for, by job. */
  readonly due: Map<string, { because: string; index: number }>
}

export function newState(
  source: LogSource,
  log: OpenLog,
  options: { tail: number; envelopes: boolean; listener: Listener },
): AuditState {
  return {
    ...options,
    source,
    log,
    list: new AuditList(),
    figures: new Figures(),
    book: new Book(),
    bookKnown: true,
    day: 0,
    dismissed: new Map(),
    policy: undefined,
    policies: [],
    rosters: [],
    rosterCache: new Map(),
    beacons: [],
    tasks: new Map(),
    pending: new Map(),
    last: new Map(),
    reports: new Map(),
    closed: new Map(),
    known: new Map(),
    reportKey: undefined,
    root: undefined,
    unproven: [],
    due: new Map(),
  }
}

/** The document of a leaf that must be out by now; a fault, or a reason not to know, when it is not. */
export async function documentOf<Schema extends Document['schema']>(
  state: AuditState,
  { index, entry }: Leaf,
  schema: Schema,
): Promise<Extract<Document, { schema: Schema }> | undefined> {
  const document = await out(state, index, entry.id, () => fetchDocument(state.source, entry.id))
  if (document === undefined || isOf(document, schema)) return document
  state.list.fault('documents', index, `its document is a ${document.schema}, not a ${schema}`)
  return undefined
}

export function envelopeOf(state: AuditState, { index, entry }: Leaf): Promise<Envelope | undefined> {
  return out(state, index, entry.id, () => fetchEnvelope(state.source, entry.id))
}

async function out<T>(
  { list, log, tail }: AuditState,
  index: number,
  id: string,
  fetch: () => Promise<T | undefined>,
): Promise<T | undefined> {
  try {
    const found = await fetch()
    if (found !== undefined) list.held('documents')
    else if (index >= log.checkpoint.size - tail)
      list.unknown('documents', `those of the last ${tail} leaves may still be on their way`)
    else list.fault('documents', index, `document/${id} is withheld though its job has ended`)
    return found
  } catch (error) {
    list.fault('documents', index, messageOf(error))
    return undefined
  }
}

function isOf<Schema extends Document['schema']>(
  document: Document,
  schema: Schema,
): document is Extract<Document, { schema: Schema }> {
  return document.schema === schema
}

const rostersKept = 32

/** A roster by its leaf; the last ones are kept. */
export async function rosterAt(state: AuditState, index: number): Promise<RosterDocument | undefined> {
  const known = state.rosterCache.get(index)
  const mark = markAt(state.rosters, index)
  if (known || !mark) return known
  const found = await documentOf(state, { index, entry: { kind: 'roster', id: mark.id } }, 'pyti.roster/1')
  if (found) keepRoster(state, index, found)
  return found
}

/** The first of the marks, which rise, at or after a leaf. */
export function firstFrom<M extends Mark>(marks: readonly M[], index: number): M | undefined {
  return marks[whereFirst(marks, mark => mark.index >= index)]
}

/** The last of the marks, which rise, before a leaf. */
export function lastBelow<M extends Mark>(marks: readonly M[], index: number): M | undefined {
  return marks[whereFirst(marks, mark => mark.index >= index) - 1]
}

/** Where the first is that has what all after it have too; their number when none has it. */
export function whereFirst<M>(marks: readonly M[], has: (mark: M) => boolean): number {
  let [low, high] = [0, marks.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const mark = marks[middle]
    if (mark !== undefined && has(mark)) high = middle
    else low = middle + 1
  }
  return low
}

/** The one of the marks that is this very leaf. */
export function markAt<M extends Mark>(marks: readonly M[], index: number): M | undefined {
  const mark = firstFrom(marks, index)
  return mark?.index === index ? mark : undefined
}

export function keepRoster({ rosterCache }: AuditState, index: number, roster: RosterDocument): void {
  rosterCache.set(index, roster)
  for (const oldest of rosterCache.keys()) {
    if (rosterCache.size <= rostersKept) break
    rosterCache.delete(oldest)
  }
}

/** The book cannot be followed any further. */
export function loseBook(state: AuditState, why: string): void {
  state.bookKnown = false
  for (const name of ['book', 'rosters', 'withdrawals'] as const) state.list.unknown(name, why)
}
