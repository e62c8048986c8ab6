import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Network, PeerId } from '../net/network.ts'
import { createDownloadCache } from '../pypi/download.ts'
import { createIndexClient } from '../pypi/index-client.ts'
import { prepareInputs } from '../pypi/intake.ts'
import type { IndexConfig } from '../pypi/pip-config.ts'
import { redactUrl } from '../pypi/redact.ts'
import { takeCpu } from '../sandbox/cpu-slot.ts'
import type { ImageStore } from '../sandbox/image/store.ts'
import { runGuest } from '../sandbox/run-guest.ts'
import type { Driver } from '../sandbox/vm.ts'
import type { BlobStore } from '../store/store.ts'
import type { JobTools } from '../volunteer/run-job.ts'
import { backendFor, type Job } from '../wire/job.ts'
import { imageFinder } from './find-image.ts'
import type { Paths } from './paths.ts'

/** The real machine behind a volunteer's jobs: the index pip uses, uv, the download cache, and VMs. */
export function jobTools(options: {
  paths: Paths
  index: IndexConfig
  /** Paths of the uv binary and of the system's interpreter, whose markers it reads. */
  uv: string
  python: string
  images: ImageStore
  /** Files that came from the coordinator. */
  received: BlobStore
  /** As offered to the coordinator, the preferred one first. */
  drivers: readonly Driver[]
  network: Network
  coordinator: PeerId
  cpus: number[]
  log: Logger
  onVm?: (event: { state: 'started' | 'cleaned'; pid: number; job: string }) => void
}): JobTools {
  const { paths, index, drivers, network, coordinator, log } = options
  const clock = systemClock
  const client = createIndexClient({ url: index.url, clock, log })
  const cache = createDownloadCache({ indexUrl: index.url, clock, log, dir: paths.downloads })
  const uv = {
    path: options.uv,
    python: options.python,
    cacheDir: paths.uvCache,
    indexUrl: index.url,
    env: process.env,
    ...(index.caFile !== undefined && { caFile: index.caFile }),
  }
  const findImage = imageFinder({ store: options.images, dir: paths.images, network, coordinator })

  return {
    slowness: job => driverFor(job).slowness,

    async prepare(job, { signal, onStage }) {
      await mkdir(paths.run, { recursive: true, mode: 0o711 })
      const workDir = await mkdtemp(join(paths.run, `job-${process.pid}-`))
      try {
        const downloadStarted = performance.now()
        const subjectPath = await fetchSubject(job, signal)
        const subjectMilliseconds = Math.round(performance.now() - downloadStarted)
        onStage('resolving')
        const inputs = await prepareInputs({
          job,
          subjectPath,
          uv,
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
      const image = await findImage(job.profile.image, signal)
      const slot = await takeCpu(options.cpus, signal)
      onStart()
      let pid = 0
      try {
        const output = await runGuest({
          driver,
          image,
          plan,
          files,
          cpu: slot.cpu,
          signal,
          onEvent,
          memoryMiB: job.profile.memoryMiB,
          diskMiB: job.profile.diskMiB,
          wallSeconds: job.profile.wallSeconds,
          runDir: paths.run,
          onStart: vm => {
            pid = vm.pid
            options.onVm?.({ state: 'started', pid, job: job.subject.filename })
          },
        })
        return { backend: driver.backend, kernel: output.hello.kernel, ...output }
      } finally {
        await slot.release()
        options.onVm?.({ state: 'cleaned', pid, job: job.subject.filename })
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
  async function receive({ sha256, size }: Job['subject'], signal: AbortSignal): Promise<string> {
    const { received } = options
    if ((await received.size(sha256)) === undefined)
      await received.put(sha256, network.fetchBlob(coordinator, { sha256, size }, { signal }))
    return received.path(sha256)
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
