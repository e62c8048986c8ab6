import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { systemClock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import { lackOfRoom, leastFreeBytes } from '../host-disk.ts'
import type { Logger } from '../logger.ts'
import type { Network, PeerId } from '../net/network.ts'
import { makeOwnedFolder } from '../owned-folder.ts'
import { createDownloadCache } from '../pypi/download.ts'
import { createIndexClient } from '../pypi/index-client.ts'
import { prepareInputs } from '../pypi/intake.ts'
import type { IndexConfig } from '../pypi/pip-config.ts'
import { redactUrl } from '../pypi/redact.ts'
import { cpuLevelOf } from '../sandbox/cpu-level.ts'
import type { ImageStore } from '../sandbox/image/store.ts'
import { VmPool } from '../sandbox/pool.ts'
import { runJobIn } from '../sandbox/run-guest.ts'
import type { Driver } from '../sandbox/vm.ts'
import { currentPart, noteUse } from '../unused.ts'
import type { JobTools } from '../volunteer/run-job.ts'
import { backendFor, clockOf, type Job } from '../wire/job.ts'
import { imageFinder } from './find-image.ts'
import type { Paths } from './paths.ts'

/** What package code may see of this machine's processor; `unknown` where that cannot be told. */
export async function readCpuLevel(): Promise<string> {
  return cpuLevelOf(await readFile('/proc/cpuinfo', 'utf8').catch(() => ''))
}

/** The real machine behind a volunteer's jobs: the index pip uses, uv, the download cache, and VMs. */
export function jobTools(options: {
  paths: Paths
  /** The volunteer's own folder. */
  data: string
  index: IndexConfig
  /** Paths of the uv binary and of the system's interpreter, whose markers it reads. */
  uv: string
  python: string
  images: ImageStore
  /** As offered to the coordinator, the preferred one first. */
  drivers: readonly Driver[]
  network: Network
  coordinator: PeerId
  cpus: number[]
  log: Logger
  /** VMs of the preferred backend to keep ready between jobs. */
  warm: number
  onVm?: (event: { state: 'started' | 'cleaned'; pid: number }) => void
}): JobTools & { close(): Promise<void> } {
  const { paths, index, drivers, network, coordinator, log } = options
  const clock = systemClock
  const client = createIndexClient({ url: index.url, clock, log })
  const cache = createDownloadCache({ indexUrl: index.url, clock, log, dir: paths.downloads })
  const uv = {
    path: options.uv,
    python: options.python,
    indexUrl: index.url,
    env: process.env,
    ...(index.caFile !== undefined && { caFile: index.caFile }),
  }
  const findImage = imageFinder({ store: options.images, dir: paths.images, network, coordinator })
  const pools = new Map(
    drivers.map((driver, index) => [
      driver.backend,
      new VmPool({
        driver,
        size: index === 0 ? options.warm : 0,
        cpus: options.cpus,
        runDir: paths.run,
        templates: paths.templates,
        log,
        ...(options.onVm && { onVm: options.onVm }),
      }),
    ]),
  )

  return {
    async close() {
      await Promise.all([...pools.values()].map(pool => pool.close()))
    },

    lackOfRoom: () => lackOfRoom([paths.cache, options.data], leastFreeBytes),

    slowness: job => driverFor(job).slowness,

    async prepare(job, { signal, onStage }) {
      await mkdir(paths.run, { recursive: true, mode: 0o711 })
      const workDir = await makeOwnedFolder(paths.run, 'job')
      try {
        const downloadStarted = performance.now()
        const subjectPath = await fetchSubject(job, signal)
        const subjectMilliseconds = Math.round(performance.now() - downloadStarted)
        onStage('resolving')
        const inputs = await prepareInputs({
          job,
          subjectPath,
          uv: { ...uv, cacheDir: await uvCache() },
          cache,
          workDir,
          signal,
          clock,
          log,
          index: client,
          onProgress: ({ step, done, total }) =>
            onStage('resolving', step === 'download' ? `download ${done}/${total}` : step),
        })
        const files = [{ filename: job.subject.filename, path: subjectPath }, ...inputs.files]
        return {
          intake: inputs.intake,
          files: await Promise.all(
            files.map(async ({ filename, path }) => ({ filename, path, size: (await stat(path)).size })),
          ),
          index: redactUrl(index.url),
          notes: inputs.notes,
          resolveMilliseconds: inputs.resolveMilliseconds,
          downloadMilliseconds: inputs.downloadMilliseconds + subjectMilliseconds,
        }
      } finally {
        await rm(workDir, { recursive: true, force: true })
      }
    },

    async runVm(job, plan, files, { signal, onEvent, onStart }) {
      const driver = driverFor(job)
      const pool = pools.get(driver.backend)
      if (!pool) throw new PytiError('internal', `no pool of ${driver.backend} VMs`)
      const { memoryMiB, diskMiB, wallSeconds } = job.profile
      const image = await findImage(job.profile.image, signal)
      const taken = await pool.take({ image, memoryMiB, diskMiB }, { signal, onCpu: onStart })
      try {
        const guest = { plan, files, wallSeconds, clockMs: clockOf(job), onEvent, signal }
        const output = await runJobIn(taken.ready, driver.slowness, guest)
        return { backend: driver.backend, kernel: output.hello.kernel, ...output }
      } finally {
        await taken.release()
      }
    },
  }

  /** @throws PytiError `vm-unavailable` */
  function driverFor({ profile }: Job): Driver {
    const backend = backendFor(
      profile,
      drivers.map(driver => driver.backend),
    )
    const driver = drivers.find(candidate => candidate.backend === backend)
    if (driver) return driver
    throw new PytiError('vm-unavailable', `this volunteer offers no ${profile.backend} VMs`)
  }

  /** A file that is not on the index yet: from the coordinator, by digest. */
  function receive({ filename, sha256, size }: Job['subject'], signal: AbortSignal): Promise<string> {
    const blob = { sha256, size }
    return cache.receive(
      { ...blob, filename },
      () => network.fetchBlob(coordinator, blob, { signal }),
      signal,
    )
  }

  async function uvCache(): Promise<string> {
    const part = currentPart(paths.uvCache, clock.now())
    await noteUse(part, clock.now())
    return part
  }

  async function fetchSubject(job: Job, signal: AbortSignal): Promise<string> {
    const { subject } = job
    if (job.origin === 'coordinator') return receive(subject, signal)
    const page = await client.project(subject.project, signal)
    const file = page.files.find(candidate => candidate.filename === subject.filename)
    if (!file) throw new PytiError('file-missing', `the index lists no ${subject.filename}`)
    return cache.fetch(
      { url: file.url, sha256: subject.sha256, size: subject.size, filename: subject.filename },
      { signal },
    )
  }
}
