import { z } from 'zod'
import { Envelope } from './envelope.ts'
import { ImageManifest } from './image.ts'
import {
  Backend,
  BackendDemand,
  Hex128,
  Lease,
  OperatorName,
  PeerIdText,
  Profile,
  PythonVersion,
  Rfc3339,
  Sha256,
  Subject,
  TaskName,
} from './job.ts'
import { limits } from './limits.ts'
import { Attachment } from './raw-data.ts'

/** Command API: JSON requests and replies between volunteers, submitters and the coordinator. */
export const commandApiVersion = 2

/** Text of the log: a signed note, or what is built from one. */
const Note = z.string().max(100_000)

/** Why a volunteer gives a lease back without raw data: its own trouble, never a vote. */
export const releaseReasons = [
  'vm-crash',
  'vm-unavailable',
  'image-unavailable',
  'host-out-of-memory',
  'host-out-of-disk',
  'index-unavailable',
  'file-missing',
  'hash-mismatch',
  'dependency-unavailable',
  'shutdown',
  'internal',
] as const
export const ReleaseReason = z.enum(releaseReasons)
export type ReleaseReason = z.infer<typeof ReleaseReason>

/** `checked`: it was there to check a volunteer, and gives no report. */
export const jobPhases = ['queued', 'leased', 'agreed', 'reported', 'unresolved', 'checked'] as const
export const JobPhase = z.enum(jobPhases)
export type JobPhase = z.infer<typeof JobPhase>

export const JobStatus = z.strictObject({
  job: Sha256,
  subject: Subject,
  phase: JobPhase,
  /** Why it ended `unresolved`, or what it waits for that no connected volunteer has. */
  reason: z.string().max(1_000).optional(),
  seats: z.array(
    z.strictObject({
      volunteer: PeerIdText,
      state: z.enum(['leased', 'submitted', 'lost', 'released']),
      detail: z.string().max(500).optional(),
    }),
  ),
  /** Set when an open seat has no volunteer that may take it. */
  wantsVolunteers: z.int().min(0),
  /** SHA-256 of the report bundle, once reported. */
  bundle: Sha256.optional(),
})
export type JobStatus = z.infer<typeof JobStatus>

const errorCodes = [
  'BAD_REQUEST',
  'UNSUPPORTED_VERSION',
  'UNKNOWN_PEER',
  'RATE_LIMITED',
  'TOO_LARGE',
  'NOT_FOUND',
  'STALE_LEASE',
  'CONFLICT',
  'BUSY',
  'INTERNAL',
] as const
export const CommandErrorCode = z.enum(errorCodes)
export type CommandErrorCode = z.infer<typeof CommandErrorCode>
export const CommandFailure = z.strictObject({
  ok: z.literal(false),
  code: CommandErrorCode,
  message: z.string().max(1_000),
  retryAfterMs: z.int().min(0).optional(),
})

/**
 * Every method of the command API: what it takes and gives, and how long the caller waits.
 * A reply is `{ ok: true, result }` or a `CommandFailure`.
 */
export const commands = {
  /** Introduces a volunteer. Leases it holds that are not listed are lost to it (it was restarted). */
  hello: {
    request: z.strictObject({
      version: z.int(),
      slots: z.int().min(0).max(1_024),
      /** What boots there, the preferred one first: it runs what demands no certain one. */
      backends: z.array(Backend).max(3),
      /** What package code may see of the processor where the backend does not hide it, such as `x86-64-v3`. */
      cpu: z.string().regex(/^[a-z0-9-]{1,40}$/),
      /** Whose machine this is, so that several of one person are one voice; the volunteer itself when left out. */
      operator: OperatorName.optional(),
      leases: z.array(Hex128).max(1_024),
    }),
    reply: z.strictObject({
      version: z.int(),
      reportKey: PeerIdText,
      /** Key of the coordinator's log, as a C2SP vkey. */
      logKey: Note.max(300),
      software: z.string().max(100),
    }),
    timeoutMs: 10_000,
  },
  /** Asks for up to `want` leases; none is a normal answer. */
  lease: {
    request: z.strictObject({ want: z.int().min(1).max(64) }),
    reply: z.strictObject({ leases: z.array(Lease), retryAfterMs: z.int().min(0) }),
    timeoutMs: 10_000,
  },
  /** Gives a lease back without raw data. */
  release: {
    request: z.strictObject({ lease: Hex128, reason: ReleaseReason, message: z.string().max(1_000) }),
    reply: z.strictObject({}),
    timeoutMs: 10_000,
  },
  /** Hands in signed raw data; the coordinator pulls the blobs it names over the same connection before it answers. */
  'raw-data': {
    request: z.strictObject({ lease: Hex128, envelope: Envelope }),
    /** Attestation id (SHA-256 of the DSSE pre-authentication bytes), and the promise to log it: a signed note. */
    reply: z.strictObject({ attestation: Sha256, receipt: Note }),
    timeoutMs: 120_000,
  },
  /** Asks for a job; `origin` as in `Job`. The coordinator pulls the file from the submitter when it is `coordinator`. */
  submit: {
    request: z.strictObject({
      subject: Subject,
      origin: z.enum(['index', 'coordinator']),
      tasks: z.array(TaskName).min(1),
      taskSeconds: z.int().min(1).max(3_600).optional(),
      /** The coordinator's first when left out. */
      python: PythonVersion.optional(),
      /** The coordinator's own demand when left out. */
      backend: BackendDemand.optional(),
      /** The coordinator's own settings when left out. */
      network: Profile.shape.network.optional(),
      clockDays: Profile.shape.clockDays.optional(),
      /** As in `Job`; the coordinator's own time when left out or later than that. */
      indexCutoff: Rfc3339.optional(),
    }),
    reply: z.strictObject({ job: Sha256 }),
    timeoutMs: 300_000,
  },
  /** The log's checkpoint, and that it continues the tree of `size` leaves the caller has seen. */
  'log-head': {
    request: z.strictObject({ size: z.int().min(0) }),
    reply: z.strictObject({ checkpoint: Note, proof: z.array(z.base64().max(44)).max(64) }),
    timeoutMs: 30_000,
  },
  /** `.tlog-proof` of an attestation; `NOT_FOUND` until a checkpoint covers it. */
  'log-proof': {
    request: z.strictObject({ attestation: Sha256 }),
    reply: z.strictObject({ proof: Note }),
    timeoutMs: 30_000,
  },
  /** Asked of witnesses: a C2SP `add-checkpoint` request and the answer to it. */
  'add-checkpoint': {
    request: z.strictObject({ body: Note }),
    reply: z.strictObject({ status: z.int().min(200).max(599), body: Note }),
    timeoutMs: 10_000,
  },
  status: {
    request: z.strictObject({ job: Sha256 }),
    reply: JobStatus,
    timeoutMs: 10_000,
  },
  /** What a guest image is made of; its parts are blobs. */
  image: {
    request: z.strictObject({ id: Sha256 }),
    reply: ImageManifest,
    timeoutMs: 10_000,
  },
  /** Finds reports by the distribution's SHA-256 or file name, newest first. */
  report: {
    request: z.union([z.strictObject({ sha256: Sha256 }), z.strictObject({ filename: z.string().max(255) })]),
    reply: z.strictObject({
      reports: z
        .array(
          z.strictObject({
            job: Sha256,
            subject: Subject,
            bundle: Attachment,
            /** The report's own id. */
            attestation: Sha256,
            /** Counts the reports on one file, from 1. */
            sequence: z.int().min(1),
            /** Not to be relied on any longer: volunteers it rests on were caught lying. */
            withdrawn: z.boolean(),
          }),
        )
        .max(100),
    }),
    timeoutMs: 10_000,
  },
} as const
export type CommandName = keyof typeof commands
export type CommandRequest<N extends CommandName> = z.infer<(typeof commands)[N]['request']>
export type CommandReply<N extends CommandName> = z.infer<(typeof commands)[N]['reply']>

/** Range of a blob, pulled by digest from any peer that has it. */
export const BlobRequest = z.strictObject({
  sha256: Sha256,
  offset: z.int().min(0),
  length: z.int().min(1).max(limits.blobChunkBytes),
})

/** Small hint on the push stream; work itself is always pulled. */
export const Advert = z.strictObject({
  sequence: z.int().min(0),
  /** Open seats at this moment. */
  open: z.int().min(0),
})
export type Advert = z.infer<typeof Advert>
