import { canonicalBytes, sha256 } from '../wire/canonical.ts'
import { type Job, jobId, type TaskName } from '../wire/job.ts'
import type { Attachment, GuestRecord, RawData, Reason, TaskRecords } from '../wire/raw-data.ts'
import type { PreparedInputs } from './run-job.ts'

/** What came out of the VM, if one was started. */
export type GuestPart =
  | { kind: 'not-started' }
  /** The guest broke off or broke the protocol twice while package code ran: never a pass. */
  | { kind: 'tampered'; detail: string }
  | {
      kind: 'record'
      record: GuestRecord
      logs: Map<string, Buffer>
      backend: 'kvm' | 'uml' | 'tcg'
      kernel: string
      bootMilliseconds: number
      totalMilliseconds: number
    }

export interface JobResult {
  rawData: RawData
  /** Canonical bytes of `rawData` and every log, by SHA-256. */
  blobs: Map<string, Uint8Array>
  attachments: Attachment[]
  /** SHA-256 of the raw data's canonical bytes. */
  rawDataSha256: string
  rawDataBytes: number
}

/** Puts the two halves, host and guest, together. Pure. */
export function assembleRawData(job: Job, inputs: PreparedInputs, guest: GuestPart): JobResult {
  const blobs = new Map<string, Uint8Array>()
  const attachments: Attachment[] = []
  if (guest.kind === 'record')
    for (const [name, data] of [...guest.logs].sort(([left], [right]) => (left < right ? -1 : 1))) {
      const digest = sha256(data)
      blobs.set(digest, data)
      attachments.push({ name, sha256: digest, size: data.length })
    }
  const ran = guest.kind === 'record' ? guest : undefined
  const rawData: RawData = {
    schema: 'pyti.raw-data/3',
    job: jobId(job),
    nonce: job.nonce,
    subject: job.subject,
    intake: {
      stable: inputs.intake,
      volatile: {
        index: inputs.index,
        resolveMilliseconds: inputs.resolveMilliseconds,
        downloadMilliseconds: inputs.downloadMilliseconds,
        // First what says why a package is accused: it could have the intake write a hundred notes.
        notes: [...(guest.kind === 'tampered' ? [guest.detail] : []), ...inputs.notes]
          .map(note => note.slice(0, 1_000).toWellFormed())
          .slice(0, 100),
      },
    },
    guest: {
      stable: {
        image: job.profile.image,
        python: ran?.record.python ?? job.profile.python,
        observers: ran?.record.observers ?? [],
      },
      volatile: {
        backend: ran?.backend ?? 'none',
        kernel: ran?.kernel ?? '',
        bootMilliseconds: ran?.bootMilliseconds ?? 0,
        totalMilliseconds: ran?.totalMilliseconds ?? 0,
      },
    },
    tasks: ran?.record.tasks ?? emptyTasks(job.tasks, guest.kind === 'tampered' ? 'tampered' : 'bad-input'),
    attachments,
  }
  const bytes = canonicalBytes(rawData)
  const rawDataSha256 = sha256(bytes)
  blobs.set(rawDataSha256, bytes)
  return { rawData, blobs, attachments, rawDataSha256, rawDataBytes: bytes.length }
}

function emptyTasks(tasks: TaskName[], reason: Reason & ('tampered' | 'bad-input')): TaskRecords {
  const outcome = {
    status: reason === 'tampered' ? ('failed' as const) : ('not-run' as const),
    reason,
    changes: [],
    changesOmitted: 0,
    events: [],
    eventsOmitted: 0,
  }
  const volatile = { milliseconds: 0 }
  const every: Required<TaskRecords> = {
    static: { stable: { ...outcome, ruleset: '', findings: [], findingsOmitted: 0, grades: {} }, volatile },
    build: { stable: outcome, volatile },
    install: { stable: { ...outcome, files: [], filesOmitted: 0, conflicts: [] }, volatile },
    start: { stable: outcome, volatile },
    import: { stable: { ...outcome, modules: [], modulesOmitted: 0 }, volatile },
    scripts: { stable: { ...outcome, scripts: [], scriptsOmitted: 0 }, volatile },
    unittest: { stable: { ...outcome, tests: {}, testsOmitted: 0 }, volatile },
    quality: { stable: { ...outcome, tools: [], linesOfCode: 0 }, volatile },
    clocks: { stable: { ...outcome, shifts: [] }, volatile },
    idle: { stable: outcome, volatile },
    uninstall: { stable: { ...outcome, left: [] }, volatile },
  }
  return Object.fromEntries(tasks.map(task => [task, every[task]]))
}
