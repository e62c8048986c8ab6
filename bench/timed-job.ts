import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJob } from '../src/sandbox/job-disk.ts'
import type { ReadyVm } from '../src/sandbox/ready-vm.ts'
import type { GuestPlan } from '../src/wire/guest.ts'
import { type TaskName, taskNames } from '../src/wire/job.ts'
import { GuestRecord } from '../src/wire/raw-data.ts'
import type { BenchFile } from './bench-package.ts'

const MiB = 1024 * 1024

export interface BenchJob {
  subject: BenchFile
  tasks: TaskName[]
  memoryMiB: number
  /** Ceiling on each log. */
  logBytes?: number
}

/** Milliseconds; all but `write` count from GO. */
export interface TimedJob {
  /** Writing the job disk, before GO. */
  write: number
  firstEvent: number
  setupEnd: number
  /** End of the last task to everything handed over and checked. */
  handOver: number
  whole: number
  tasks: Partial<Record<TaskName, number>>
  record: GuestRecord
  itemBytes: number
}

/** Runs a job in a waiting VM, with the time of every step, and ends the VM. @throws PytiError as `GuestSession` */
export async function runTimed(
  ready: ReadyVm,
  job: BenchJob,
  options: { dir: string; slowness: number; signal: AbortSignal },
): Promise<TimedJob> {
  const { signal, slowness } = options
  try {
    const { plan, files } = await prepareJob(job, options)
    const writing = performance.now()
    const written = await writeJob(ready.jobDisk, plan, files, signal)
    const write = performance.now() - writing
    const go = performance.now()
    let [firstEvent, setupEnd, lastEnd] = [0, 0, 0]
    const items = await ready.session.run(written, {
      wallMs: 600_000 * slowness,
      clockMs: Date.now(),
      outputDisk: ready.outputDisk,
      signal,
      onEvent({ task, state }) {
        const at = performance.now() - go
        firstEvent ||= at
        if (state !== 'end') return
        lastEnd = at
        if (task === 'setup') setupEnd = at
      },
    })
    const whole = performance.now() - go
    const record = GuestRecord.parse(JSON.parse(items.get('guest.json')?.toString() ?? ''))
    const itemBytes = [...items.values()].reduce((sum, item) => sum + item.length, 0)
    return {
      write,
      firstEvent,
      setupEnd,
      handOver: whole - lastEnd,
      whole,
      tasks: taskTimes(record),
      record,
      itemBytes,
    }
  } finally {
    await ready.end()
  }
}

/** A job's files on disk and its plan. */
export async function prepareJob(
  job: BenchJob,
  { dir, slowness }: { dir: string; slowness: number },
): Promise<{ plan: GuestPlan; files: { filename: string; path: string; size: number }[] }> {
  const { subject, tasks, memoryMiB, logBytes = 256 * 1024 } = job
  const { project, filename, kind, bytes } = subject
  const path = join(dir, filename)
  await writeFile(path, bytes)
  const plan: GuestPlan = {
    schema: 'pyti.plan/2',
    subject: { project, version: '1.0', filename, kind },
    tasks,
    packages: { build: [], run: [], test: [] },
    incomplete: [],
    limits: { taskSeconds: 180 * slowness, memoryMiB, processes: 128, logBytes, outputBytes: 64 * MiB },
    hashSeed: 0,
    network: 'dead',
    clockDays: [],
    seed: '0'.repeat(32),
  }
  return { plan, files: [{ filename, path, size: bytes.length }] }
}

export function taskTimes(record: GuestRecord): Partial<Record<TaskName, number>> {
  return Object.fromEntries(
    taskNames.flatMap(task => {
      const entry = record.tasks[task]
      return entry ? [[task, entry.volatile.milliseconds]] : []
    }),
  )
}
