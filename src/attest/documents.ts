/**
 * What leaves of the log stand for besides attestations: canonical JSON documents, named by their SHA-256. From these and the
 * attestations anybody can replay who was drawn, who answered, and what came of it.
 */
import { z } from 'zod'
import type { Change } from '../consensus/book.ts'
import { jobClasses } from '../consensus/classes.ts'
import { roles } from '../consensus/decide.ts'
import { runResults } from '../consensus/run-result.ts'
import { canonicalBytes, digestOf } from '../wire/canonical.ts'
import { Backend, Hex128, Job, OperatorName, PeerIdText, Sha256 } from '../wire/job.ts'
import type { Witnesses } from './log/checkpoint.ts'
import { parseVkey } from './log/note.ts'
import { parseExactly } from './parse.ts'
import { Policy } from './policy.ts'
import { RootDocument } from './root-document.ts'

const Index = z.int().min(0)
/** Whole days since the Unix epoch. */
const Day = z.int().min(0).max(1_000_000)
const Tag = z.string().min(1).max(250)

const ChangeSchema: z.ZodType<Change> = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('joined'),
    volunteer: PeerIdText,
    operator: OperatorName,
    network: z.string().max(100),
    vouched: z.enum(['founder', 'referee']).optional(),
  }),
  z.strictObject({
    type: z.literal('answered'),
    volunteer: PeerIdText,
    result: z.enum(['checked', 'refuted', 'open']),
  }),
  z.strictObject({
    type: z.literal('vouched'),
    volunteer: PeerIdText,
    as: z.enum(['founder', 'referee']),
  }),
  z.strictObject({ type: z.literal('graduated'), volunteer: PeerIdText }),
  z.strictObject({ type: z.literal('banned'), volunteer: PeerIdText, why: z.enum(['ring', 'strikes']) }),
  z.strictObject({ type: z.literal('alike'), pair: z.tuple([PeerIdText, PeerIdText]) }),
  z.strictObject({
    type: z.literal('suspected'),
    job: Sha256,
    answer: Sha256,
    intake: Sha256,
    volunteers: z.array(PeerIdText).max(100),
  }),
  z.strictObject({
    type: z.literal('tried'),
    job: Sha256,
    result: z.enum([...runResults, 'unresolved']),
    referee: PeerIdText.optional(),
  }),
  z.strictObject({
    type: z.literal('rests-on'),
    job: Sha256,
    winners: z.array(PeerIdText).max(100),
    answer: Sha256,
    intake: Sha256,
  }),
  z.strictObject({
    type: z.literal('audited'),
    job: Sha256,
    result: z.enum(runResults),
  }),
  z.strictObject({ type: z.literal('withdrawn'), job: Sha256 }),
])

/** A job, logged when it is made and shown when it has closed: until then its id hides what it holds. */
export const TaskDocument = z.strictObject({
  schema: z.literal('pyti.task/1'),
  job: Job,
  jobClass: z.enum(jobClasses),
  /** With the draw's seed it decides how many seats are hidden. */
  salt: Hex128,
  /** Of class `K`: the job whose answer is expected again; or, in a trial, run again by a referee. */
  repeats: Sha256.optional(),
  trial: z.boolean().optional(),
  /** Of class `K`: what the machines of the repeated job had in common, so that there is something to compare. */
  platform: z.string().max(100).optional(),
  /** Operators that ran the repeated job and get no seat in this one. */
  without: z.array(OperatorName).max(1_000).optional(),
  /** On a bundled sample, whose truth the coordinator knows; there is no report. */
  sample: z.boolean().optional(),
})
export type TaskDocument = z.infer<typeof TaskDocument>

/** Who may be drawn from here on. */
export const RosterDocument = z.strictObject({
  schema: z.literal('pyti.roster/1'),
  day: Day,
  /** Who came and who counts from now on. */
  changes: z.array(ChangeSchema).max(100_000),
  /** Sorted by volunteer; the banned ones left out. */
  members: z
    .array(
      z.strictObject({
        volunteer: PeerIdText,
        operator: OperatorName,
        tags: z.array(Tag).max(100),
        /** What it says of its machine. */
        backends: z.array(Backend).max(3),
        cpu: z.string().max(40),
        /** Odds in thousandths. */
        weight: z.int().min(0),
        /** Whether its answers count. */
        established: z.boolean(),
        referee: z.boolean(),
      }),
    )
    .max(100_000),
})
export type RosterDocument = z.infer<typeof RosterDocument>
export type RosterMember = RosterDocument['members'][number]

/** A cosigned checkpoint whose signatures nobody could foresee: what draws are made from. */
export const BeaconDocument = z.strictObject({
  schema: z.literal('pyti.beacon/1'),
  checkpoint: z.string().max(20_000),
  /** A value of somebody else's that came out afterwards, such as a public randomness beacon's: what and where. */
  public: z
    .strictObject({ source: z.string().min(1).max(300), value: z.string().regex(/^[\x21-\x7e]{1,1000}$/) })
    .optional(),
})
export type BeaconDocument = z.infer<typeof BeaconDocument>

/** The end of a job: who had which seat, what was decided, and what follows for the volunteers. */
export const CloseDocument = z.strictObject({
  schema: z.literal('pyti.close/1'),
  job: Sha256,
  day: Day,
  /** Of the leaf with the task document, and the leaves the seats follow from. */
  task: Index,
  draw: z
    .strictObject({
      roster: Index,
      beacon: Index,
      seed: Sha256,
      platform: z.string().max(100),
      passed: z.array(PeerIdText),
    })
    .optional(),
  rules: Policy.shape.annotations,
  outcome: z.enum(['accepted', 'flaky', 'unresolved', 'sample', 'known', 'trial']),
  reason: z.string().max(1_000).optional(),
  /** In the order they were given out. */
  seats: z
    .array(
      z.strictObject({
        volunteer: PeerIdText,
        role: z.enum(roles),
        operator: OperatorName,
        weight: z.int().min(0),
        /** How it ended: `submitted`, or why there is no raw data. */
        end: z.string().max(50),
        attestation: Sha256.optional(),
        /** SHA-256 over the digests of all that is voted on as a whole. */
        answer: Sha256.optional(),
        /** The same without what differs from job to job: in class `K` this one is compared. */
        across: Sha256.optional(),
        /** Digest of what went into the guest, as it is voted on. */
        intake: Sha256.optional(),
      }),
    )
    .max(1_000),
  /** Of the answer that was accepted or known. */
  accepted: Sha256.optional(),
  /** Attestation id. */
  report: Sha256.optional(),
  changes: z.array(ChangeSchema).max(100_000),
})
export type CloseDocument = z.infer<typeof CloseDocument>

/** A report that is not to be relied on any longer. */
export const WithdrawalDocument = z.strictObject({
  schema: z.literal('pyti.withdrawal/1'),
  job: Sha256,
  /** Attestation id. */
  report: Sha256,
  /** The job whose end took away those it rested on. */
  because: Sha256,
})
export type WithdrawalDocument = z.infer<typeof WithdrawalDocument>

/** Under which rules the log is kept from here on. */
export const PolicyDocument = z.strictObject({
  schema: z.literal('pyti.policy/1'),
  /** Volunteers somebody vouches for; where there are none, nobody is weighed. */
  founders: z.array(PeerIdText).max(10_000),
  referees: z.array(PeerIdText).max(1_000),
  /** Keys of those whose signatures a beacon needs, as C2SP vkeys, and of how many of them; of all when left out. */
  witnesses: z.array(z.string().max(300)).max(10),
  witnessThreshold: z.int().min(1).max(10).optional(),
  /** Of class `open`. */
  quorum: z.int().min(1).max(100),
})
export type PolicyDocument = z.infer<typeof PolicyDocument>

/** @throws PytiError `bad-note` for a key that is none */
export function witnessesOf({ witnesses, witnessThreshold }: PolicyDocument): Witnesses {
  return { keys: witnesses.map(parseVkey), threshold: witnessThreshold ?? witnesses.length }
}

const Document = z.discriminatedUnion('schema', [
  TaskDocument,
  RosterDocument,
  BeaconDocument,
  CloseDocument,
  WithdrawalDocument,
  PolicyDocument,
  RootDocument,
])
export type Document = z.infer<typeof Document>

export function documentId(document: Document): string {
  return digestOf(document)
}

export function documentBytes(document: Document): Uint8Array {
  return canonicalBytes(document)
}

/** @throws PytiError `bad-document` */
export function readDocument(bytes: Uint8Array): Document {
  return parseExactly(Document, bytes, 'bad-document', 'a document of the log')
}
