import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { jobTools } from '../src/cli/compose-volunteer.ts'
import { findUv } from '../src/cli/host-tools.ts'
import type { Paths } from '../src/cli/paths.ts'
import type { Target } from '../src/cli/targets.ts'
import { jobFor } from '../src/coordinator/new-job.ts'
import { loadOrCreateIdentity } from '../src/identity.ts'
import { silentLogger } from '../src/logger.ts'
import { createMemoryHub } from '../src/net/memory.ts'
import { findPython } from '../src/pypi/pip.ts'
import type { IndexConfig } from '../src/pypi/pip-config.ts'
import { takeCpu } from '../src/sandbox/cpu-slot.ts'
import { type Image, ImageStore } from '../src/sandbox/image/store.ts'
import { startVm } from '../src/sandbox/ready-vm.ts'
import { runJobIn } from '../src/sandbox/run-guest.ts'
import type { Driver } from '../src/sandbox/vm.ts'
import type { JobResult } from '../src/volunteer/assemble.ts'
import { type JobTools, type PreparedInputs, runJob } from '../src/volunteer/run-job.ts'
import { type Backend, clockOf, type Job, type Profile, type TaskName, taskNames } from '../src/wire/job.ts'

export interface DirectOptions {
  paths: Paths
  /** Exists; removed by the caller. */
  dir: string
  image: Image
  /** The preferred one first. */
  drivers: readonly Driver[]
  index: IndexConfig
  /** Host CPUs, one VM on each. */
  cpus: number[]
  /** VMs kept booted for the next job. */
  warm: number
  signal: AbortSignal
  env: NodeJS.ProcessEnv
}

export interface DirectJob {
  target: Target
  tasks?: readonly TaskName[]
  taskSeconds?: number
  network?: Profile['network']
  clockDays?: readonly number[]
  memoryMiB?: number
  diskMiB?: number
  /** Uploads after it do not exist for the job; now when left out. */
  indexCutoff?: string
}

/** A volunteer's own tools without a coordinator: a job's inputs are worked out once, VMs run it as often as wanted. */
export interface Direct {
  /** The same job for every run of it, so that planted secrets and the hash seed are alike. */
  prepare(job: DirectJob): Promise<PreparedJob>
  /**
   * One run in a fresh VM.
   * @param options.image another one than the job's
   * @param options.warmed with its tools loaded before the job, as a volunteer's waiting VMs
   * @throws PytiError as `runJob`
   */
  run(
    prepared: PreparedJob,
    backend: Backend,
    options?: { image?: Image; warmed?: boolean },
  ): Promise<JobResult>
  close(): Promise<void>
}

export interface PreparedJob {
  job: Job
  inputs: PreparedInputs
}

/** Loading the tools; native milliseconds. */
const warmMs = 60_000
const ordinary = { memoryMiB: 1_024, diskMiB: 2_048, taskSeconds: 300 }

/** @throws PytiError as `findUv` */
export async function openDirect(options: DirectOptions): Promise<Direct> {
  const { paths, dir, image, drivers, index, signal, env } = options
  const uv = await findUv(paths, silentLogger, signal)
  const { peerId } = await loadOrCreateIdentity(join(dir, 'identity.key'))
  const tools = jobTools({
    paths,
    data: dir,
    index,
    uv,
    drivers,
    python: await findPython(env),
    images: new ImageStore(paths.images),
    // Nobody is asked for anything: the file is on the index, the image is here.
    network: createMemoryHub().join(peerId),
    coordinator: peerId,
    cpus: options.cpus,
    warm: options.warm,
    log: silentLogger,
  })
  const { python, glibc } = image.manifest
  const onStage = () => {}

  return {
    async prepare({ target, tasks = taskNames, taskSeconds = ordinary.taskSeconds, ...more }) {
      const profile = {
        image: image.id,
        python,
        glibc,
        backend: 'any' as const,
        vcpus: 1 as const,
        memoryMiB: more.memoryMiB ?? ordinary.memoryMiB,
        diskMiB: more.diskMiB ?? ordinary.diskMiB,
        taskSeconds,
        wallSeconds: 60 + 2 * taskSeconds,
        network: more.network ?? 'sinkhole',
        clockDays: [...(more.clockDays ?? [])],
      }
      const { subject, origin } = target
      const request = {
        subject,
        origin,
        tasks,
        ...(more.indexCutoff !== undefined && { indexCutoff: more.indexCutoff }),
      }
      const job = jobFor(request, profile, Date.now(), randomBytes)
      return { job, inputs: await tools.prepare(job, { signal, onStage }) }
    },
    run({ job, inputs }, backend, { image: other = image, warmed = false } = {}) {
      const runVm: JobTools['runVm'] = async (own, plan, files, { onEvent }) => {
        const driver = drivers.find(candidate => candidate.backend === backend)
        if (!driver) throw new Error(`no ${backend} was opened`)
        const { memoryMiB, diskMiB, wallSeconds } = own.profile
        const slot = await takeCpu(options.cpus, signal)
        try {
          const shape = { image: other, memoryMiB, diskMiB }
          const ready = await startVm(driver, shape, { runDir: paths.run, cpu: slot.cpu, signal })
          await ready.session
            .warm(warmMs * driver.slowness, signal)
            .catch(error => ready.end().then(() => Promise.reject(error)))
          const output = await runJobIn(ready, driver.slowness, {
            plan,
            files,
            wallSeconds,
            clockMs: clockOf(own),
            onEvent,
            signal,
          })
          return { backend, kernel: output.hello.kernel, ...output }
        } finally {
          await slot.release()
        }
      }
      const again: JobTools = { ...tools, prepare: async () => inputs, ...(warmed && { runVm }) }
      const profile = { ...job.profile, backend, image: other.id }
      return runJob({ ...job, profile }, again, { signal, onStage })
    },
    close: () => tools.close(),
  }
}

/** Does `work` for all items, `parallel` at a time, in order of their start. */
export async function inParallel<T>(
  items: readonly T[],
  parallel: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, worker))
}
