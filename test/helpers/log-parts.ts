import type { LogSource } from '../../src/attest/audit/source.ts'
import type { CloseDocument, RosterDocument, TaskDocument } from '../../src/attest/documents.ts'
import type { Entry } from '../../src/attest/log/entry.ts'
import type { ReportStatement, Voter } from '../../src/attest/report-statement.ts'
import type { Rules } from '../../src/consensus/decide.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import type { LogMaker } from './log-maker.ts'

/** Where a dishonest coordinator puts its hand in; each is called for every job or roster, and leaves it alone if it likes. */
export interface Tampering {
  /** Before a job is announced. */
  before?(maker: LogMaker, job: number): void
  /** What is logged of a new job. */
  task?(task: TaskDocument, job: number): TaskDocument
  /** What is logged of a job that repeats another one. */
  again?(task: TaskDocument): TaskDocument
  /** Before the seats of a job are drawn; may log something else. */
  draw?(draw: NonNullable<CloseDocument['draw']>, made: Drawing): void | Promise<void>
  rules?(rules: Rules, job: number): Rules
  /** Takes candidates away as if they did not exist. */
  candidates?(order: Candidate[], job: number): Candidate[]
  /** Voters that the report names. */
  voters?(voters: Answered[], job: number): Answered[]
  /** Operators that get no seat when a job is run again. */
  without?(operators: string[], job: number): string[]
  report?(statement: ReportStatement, job: number): ReportStatement
  close?(close: CloseDocument, job: number): CloseDocument
  roster?(roster: RosterDocument, number: number): RosterDocument
  /** After the end of a job. */
  after?(maker: LogMaker, done: Done, job: number): void | Promise<void>
}

export type Candidate = RosterDocument['members'][number]
export interface Drawing {
  readonly maker: LogMaker
  readonly job: number
  readonly id: string
  readonly task: number
}
export interface Answered extends Voter {
  readonly envelope: Envelope
  readonly rawData: RawData
}
export interface Done {
  readonly task: TaskDocument
  readonly close: CloseDocument
  readonly closeIndex: number
  readonly answers: readonly Answered[]
  readonly report?: {
    readonly index: number
    readonly envelope: Envelope
    readonly statement: ReportStatement
  }
}

/** A log with nothing but files, as anybody sees it. */
export interface MadeLog {
  readonly files: Map<string, Uint8Array>
  readonly source: LogSource
  readonly key: string
  readonly witness: string
  readonly entries: readonly Entry[]
  readonly done: readonly Done[]
  readonly maker: LogMaker
  readonly note: string
}

export interface MakerOptions {
  /** Chance per mille that the ring lies in a job. */
  lies: number
  /** The first job it lies in. */
  sleeps: number
  /** Chance per mille that a job does not repeat. */
  wobbles: number
  /** How many belong to the ring. */
  ring: number
  /** Chance per mille that the answer of an accepted job is asked for again. */
  known: number
  /** Chance per mille that a job is on a bundled sample. */
  samples: number
  /** Chance per mille that a referee runs a reported job again. */
  audits: number
  /** The job before which most arrive; there are three founders and two referees until then. 0: all are there from the start. */
  late: number
  name: string
  /** Witnesses besides the one that signs, and how many must. */
  mute: readonly string[]
  threshold: number | undefined
}
