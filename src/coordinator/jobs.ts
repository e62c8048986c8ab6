import type { Clock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import { isClosing } from './closing.ts'
import type { Ledger } from './ledger.ts'
import { type Logged, logged } from './log-documents.ts'
import { loadUnfinished, type Records, writesFor } from './records.ts'
import { createSerial } from './serial.ts'
import {
  type Effect,
  isFinished,
  type JobEvent,
  type JobRecord,
  type JobRules,
  type StoredJob,
  taskOf,
} from './state.ts'
import { step } from './step.ts'

export interface LiveLease {
  job: string
  lease: string
  volunteer: string
  deadline: number
}

/** All jobs: unfinished ones in memory, every change through one atomic batch of the store with what the log says of it. */
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
  add(made: readonly JobRecord[], extra?: Partial<Logged>): Promise<void>
  /**
   * One step: the new record, `extra` and what they mean for the log are on disk when the promise resolves; the effects
   * follow.
   * @throws what `step` throws, PytiError `unknown-job`, or `store-failed` after a write has failed
   */
  apply(id: string, event: JobEvent, extra?: Extra): Promise<JobRecord>
  /** Resolves when no step is waiting. */
  idle(): Promise<void>
}

/** What goes into the batch of a step. */
export interface Extra extends Partial<Logged> {
  /** Jobs made with it. */
  made?: readonly JobRecord[]
}

export interface JobsOptions {
  ledger: Ledger
  records: Records
  clock: Clock
  rules: JobRules
  /** The end of a job, for the log; what it returns is committed before anything else is awaited. */
  close(record: JobRecord, task: number): Logged
  onStep(job: JobRecord, effects: Effect[]): void
}

export function createJobs(options: JobsOptions): Jobs {
  const { ledger, records, clock, rules } = options
  const unfinished = new Map<string, JobRecord>()
  const live = new Map<string, LiveLease>()
  const serial = createSerial()
  let openSeats = 0

  const remember = (record: JobRecord) => {
    openSeats += record.wanted - (unfinished.get(record.id)?.wanted ?? 0)
    if (isFinished(record)) unfinished.delete(record.id)
    else unfinished.set(record.id, record)
    for (const { state, lease, volunteer, deadline } of record.seats)
      if (state === 'leased') live.set(lease, { job: record.id, lease, volunteer, deadline })
      else live.delete(lease)
  }

  const find = async (id: string): Promise<JobRecord | undefined> =>
    unfinished.get(id) ?? withoutBallots(await records.jobs.get(id))

  const announced = (made: readonly JobRecord[]): Logged => {
    const tasks = made.map(record => logged(records, 'task', taskOf(record), false))
    const writes = made.flatMap(record => writesFor(records, undefined, record))
    return {
      writes: [...writes, ...tasks.flatMap(task => task.writes)],
      entries: tasks.flatMap(task => task.entries),
    }
  }
  const begin = (made: readonly JobRecord[]) => {
    for (const record of made) remember(record)
    for (const record of made) options.onStep(record, [{ type: 'advertise' }])
  }

  const applyNow = async (id: string, event: JobEvent, extra: Extra): Promise<JobRecord> => {
    const before = await find(id)
    if (!before) throw new PytiError('unknown-job', `there is no job ${id}`)
    const { job, effects } = step(before, event, clock.now(), rules)
    if (job === before) return job
    const { writes = [], entries = [], made = [] } = extra
    const next = announced(made)
    const task = isClosing(before, job) ? await taskIndex(job) : undefined
    // From here to the commit nothing may be awaited: the log has to tell ends in the order the book learned of them.
    const closing: Logged = task === undefined ? { writes: [], entries: [] } : options.close(job, task)
    await ledger.commit(
      [...writesFor(records, before, job), ...writes, ...closing.writes, ...next.writes],
      [...entries, ...closing.entries, ...next.entries],
    )
    remember(job)
    options.onStep(job, effects)
    begin(made)
    return job
  }

  const taskIndex = async ({ id, task }: JobRecord): Promise<number> => {
    const index = await ledger.find(task)
    if (index === undefined) throw new PytiError('store-damaged', `the log does not have the job ${id}`)
    return index
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
    async add(made, { writes = [], entries = [] } = {}) {
      const next = announced(made)
      await ledger.commit([...next.writes, ...writes], [...entries, ...next.entries])
      begin(made)
    },
    apply: (id, event, extra = {}) => serial.run(id, () => applyNow(id, event, extra)),
    idle: () => serial.idle(),
  }
}

/** A job that is not in memory is finished: steps only answer repeated events, and need no ballots for that. */
function withoutBallots(stored: StoredJob | undefined): JobRecord | undefined {
  return stored && { ...stored, ballots: {} }
}
