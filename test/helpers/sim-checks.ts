import { beaconValue } from '../../src/attest/beacon.ts'
import type { Document, RosterDocument, TaskDocument } from '../../src/attest/documents.ts'
import type { Checkpoint } from '../../src/attest/log/checkpoint.ts'
import { parseVkey } from '../../src/attest/log/note.ts'
import type { StoredAttestation } from '../../src/coordinator/records.ts'
import { isFinished, type StoredJob } from '../../src/coordinator/state.ts'
import { readBlob } from '../../src/store/blob-bytes.ts'
import type { BlobStore, Write } from '../../src/store/store.ts'
import { limits } from '../../src/wire/limits.ts'
import { type BookModel, createBookModel } from './sim-book-model.ts'
import { checkDraw, createJobModel, type JobModel } from './sim-job-model.ts'
import { createLogModel, type LogModel } from './sim-log-model.ts'
import type { People } from './sim-people.ts'
import { checkReport } from './sim-report-model.ts'
import { createSampleModel, type SampleModel } from './sim-sample-model.ts'

/** Everything that must hold, whatever happens. */
export interface SimChecks {
  readonly log: LogModel
  readonly jobs: JobModel
  readonly book: BookModel
  readonly samples: SampleModel
  /** In the order they were noticed. */
  readonly faults: string[]
  fault(what: string): void
  onBatch(writes: readonly Write[]): void
  onReceipt(attestation: string, receipt: string): void
  onCheckpoint(bytes: Uint8Array): void
  onHead(before: Checkpoint | undefined, reply: { checkpoint: string; proof: string[] }): Promise<Checkpoint>
  /** A client was told that this is a job now. */
  onAccepted(job: string): void
  /** What needs to wait for signatures; between two events. */
  settle(): Promise<void>
}

export interface SimChecksOptions {
  blobs: BlobStore
  logKey: string
  reportKey: string
  witnesses: readonly string[]
  /** So many of them must sign. */
  threshold: number
  /** Milliseconds. */
  now(): number
  people: People
  /** Peer id -> character. */
  characterOf(volunteer: string): People['characters'][number] | undefined
  maxAttempts: number
  fileComplaints: number
  /** A sample goes on. */
  onTurn(): void
}

export function createSimChecks(options: SimChecksOptions): SimChecks {
  const { blobs, logKey, people, characterOf } = options
  const faults: string[] = []
  const fault = (what: string) => void faults.push(what)
  const attestations = new Map<string, StoredAttestation>()
  const documents = new Map<string, Document>()
  const raw = new Map<string, Set<string>>()
  const rosters = new Map<number, RosterDocument>()
  const drawn = new Set<string>()
  let waiting: (() => Promise<void>)[] = []

  const witnesses = { keys: options.witnesses.map(parseVkey), threshold: options.threshold }
  const log = createLogModel({ key: parseVkey(logKey), witnesses, now: options.now, fault })
  const isLiar = (volunteer: string) => {
    const operator = characterOf(volunteer)?.operator
    return people.characters.some(
      one =>
        one.lie && (one === characterOf(volunteer) || (operator !== undefined && one.operator === operator)),
    )
  }
  const book = createBookModel({ fault, isLiar })
  const jobs = createJobModel({
    fault,
    isLogged: id => log.indexOf(id) !== undefined,
    rosterAt: index => rosters.get(index),
    cpuOf: volunteer => characterOf(volunteer)?.cpu,
    isBanned: volunteer => book.banned.has(volunteer),
    slotsOf: volunteer => characterOf(volunteer)?.slots ?? 0,
    ...options,
  })

  const samples = createSampleModel({
    ...options,
    fault,
    jobs,
    withdrawn: book.withdrawn,
    isHonest: volunteer => characterOf(volunteer)?.lie === undefined,
    later: look => void waiting.push(look),
  })

  const onLeaf = ({ index, entry: { kind, id } }: ReturnType<LogModel['onBatch']>[number]) => {
    if (kind === 'raw') {
      const job = attestations.get(id)?.job
      if (job === undefined) return fault(`leaf ${index} has no attestation`)
      if (book.closed.has(job)) fault(`job ${job} got raw data after its end`)
      raw.set(job, (raw.get(job) ?? new Set()).add(id))
      return
    }
    const document = documents.get(id)
    if (kind === 'report') return
    if (!document) return fault(`leaf ${index} (${kind}) has no document`)
    if (document.schema === 'pyti.roster/1') rosters.set(index, document)
    if (document.schema !== 'pyti.close/1') return
    book.onClose(document, raw.get(document.job) ?? new Set())
    samples.onClose(document, documents.get(log.leaves[document.task]?.id ?? '') as TaskDocument | undefined)
  }

  const onJob = (job: StoredJob) => {
    if ((job.report !== undefined || isFinished(job)) && !book.closed.has(job.id))
      fault(`job ${job.id} ended, and the log does not say so`)
    const { draw, bundle } = job
    if (draw && !drawn.has(job.id)) {
      drawn.add(job.id)
      if (Math.max(draw.task, draw.roster) >= draw.beacon)
        fault(`job ${job.id} was drawn before it was logged`)
      const document = documents.get(log.leaves[draw.beacon]?.id ?? '')
      waiting.push(async () => {
        if (document?.schema !== 'pyti.beacon/1') return fault(`job ${job.id} has no beacon`)
        checkDraw(job, await beaconValue(document, parseVkey(logKey), witnesses), fault)
      })
    }
    if (job.phase === 'reported' && bundle !== undefined)
      waiting.push(async () => {
        const bytes = await readBlob(blobs, bundle, limits.bundleBytes)
        await checkReport(job, bytes, { ...options, fault, ring: people.ring })
      })
  }

  return {
    log,
    jobs,
    book,
    samples,
    faults,
    fault,
    onBatch(writes) {
      for (const write of writes) {
        if (write.type === 'delete') continue
        const [space, id = ''] = write.key.split('/')
        if (space === 'attestation') attestations.set(id, write.value as StoredAttestation)
        if (space === 'document') documents.set(id, write.value as Document)
      }
      const leaves = log.onBatch(writes)
      for (const leaf of leaves) onLeaf(leaf)
      jobs.onBatch(writes)
      samples.onBatch(writes, leaves)
      for (const write of writes)
        if (write.type === 'put' && write.key.startsWith('job/')) onJob(write.value as StoredJob)
    },
    onReceipt: (attestation, receipt) =>
      waiting.push(() =>
        log.onReceipt(attestation, receipt).catch(error => fault(`no proper receipt: ${error}`)),
      ),
    onCheckpoint(bytes) {
      const seen = log.onCheckpoint(bytes).catch(error => fault(`no proper checkpoint: ${error}`))
      waiting.push(() => seen)
    },
    onHead: log.onHead,
    onAccepted(job) {
      if (!jobs.jobs.has(job)) fault(`job ${job} was accepted and is not in the store`)
    },
    async settle() {
      const work = waiting
      waiting = []
      for (const one of work) await one()
    },
  }
}
