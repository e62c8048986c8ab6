import type { Clock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import type { Store, Write } from '../store/store.ts'
import { loadUnfinished, type Records, writesFor } from './records.ts'
import { createSerial } from './serial.ts'
import {
  type Effect,
  isFinished,
  type JobEvent,
  type JobRecord,
  type JobRules,
  type StoredJob,
} from './state.ts'
import { step } from './step.ts'

export interface LiveLease {
  job: string
  lease: string
  volunteer: string
  deadline: number
}

/** All jobs: unfinished ones in memory, every change through one atomic batch of the store. */
export interface Jobs {
  /** Reads the unfinished jobs; before anything else. */
  load(): Promise<void>
  /** Oldest first. */
  unfinished(): IterableIterator<JobRecord>
  unfinishedCount(): number
  find(id: string): Promise<JobRecord | undefined>
  /** The job a lease was given out for, finished or not. */
  findByLease(lease: string): Promise<JobRecord | undefined>
  leases(): IterableIterator<LiveLease>
  /** Seats that could be handed out now, over all jobs. */
  openSeats(): number
  /** New jobs and `extra` in one batch. */
  add(records: JobRecord[], extra?: Write[]): Promise<void>
  /**
   * One step: the new record and `extra` are on disk when the promise resolves; the effects follow.
   * @throws what `step` throws, PytiError `unknown-job`, or `store-failed` after a write has failed
   */
  apply(id: string, event: JobEvent, extra?: Write[]): Promise<JobRecord>
  /** Resolves when no step is waiting. */
  idle(): Promise<void>
}

export interface JobsOptions {
  store: Store
  records: Records
  clock: Clock
  rules: JobRules
  onStep(job: JobRecord, effects: Effect[]): void
  /** Called once. Memory and disk may differ from here on, so every further step is refused. */
  onFailure(error: unknown): void
}

export function createJobs(options: JobsOptions): Jobs {
  const { store, records, clock, rules } = options
  const unfinished = new Map<string, JobRecord>()
  const live = new Map<string, LiveLease>()
  const serial = createSerial()
  let openSeats = 0
  let failure: { cause: unknown } | undefined

  const remember = (record: JobRecord) => {
    openSeats += record.wanted - (unfinished.get(record.id)?.wanted ?? 0)
    if (isFinished(record)) unfinished.delete(record.id)
    else unfinished.set(record.id, record)
    for (const { state, lease, volunteer, deadline } of record.seats)
      if (state === 'leased') live.set(lease, { job: record.id, lease, volunteer, deadline })
      else live.delete(lease)
  }

  const commit = async (writes: Write[]) => {
    if (failure)
      throw new PytiError('store-failed', 'the store has failed before', {
        hint: 'restart the coordinator',
        cause: failure.cause,
      })
    try {
      await store.batch(writes)
    } catch (cause) {
      if (!failure) {
        failure = { cause }
        options.onFailure(cause)
      }
      throw new PytiError('store-failed', 'a change could not be stored', {
        hint: 'check the disk, then restart the coordinator',
        cause,
      })
    }
  }

  const find = async (id: string): Promise<JobRecord | undefined> =>
    unfinished.get(id) ?? withoutBallots(await records.jobs.get(id))

  const applyNow = async (id: string, event: JobEvent, extra: Write[]): Promise<JobRecord> => {
    const before = await find(id)
    if (!before) throw new PytiError('unknown-job', `there is no job ${id}`)
    const { job, effects } = step(before, event, clock.now(), rules)
    if (job === before) return job
    await commit([...writesFor(records, before, job), ...extra])
    remember(job)
    options.onStep(job, effects)
    return job
  }

  return {
    async load() {
      for await (const record of loadUnfinished(records)) remember(record)
    },
    unfinished: () => unfinished.values(),
    unfinishedCount: () => unfinished.size,
    find,
    async findByLease(lease) {
      const id = live.get(lease)?.job ?? (await records.leases.get(lease))?.job
      return id === undefined ? undefined : find(id)
    },
    leases: () => live.values(),
    openSeats: () => openSeats,
    async add(added, extra = []) {
      await commit([...added.flatMap(record => writesFor(records, undefined, record)), ...extra])
      for (const record of added) remember(record)
      for (const record of added) options.onStep(record, [{ type: 'advertise' }])
    },
    apply: (id, event, extra = []) => serial.run(id, () => applyNow(id, event, extra)),
    idle: () => serial.idle(),
  }
}

/** A job that is not in memory is finished: steps only answer repeated events, and need no ballots for that. */
function withoutBallots(stored: StoredJob | undefined): JobRecord | undefined {
  return stored && { ...stored, ballots: {} }
}
