import { dirname } from 'node:path'
import { PytiError } from '../errors.ts'
import { diskTrouble, lackOfRoom } from '../host-disk.ts'
import type { GuestEvent, GuestPlan, Hello } from '../wire/guest.ts'
import { limits } from '../wire/limits.ts'
import { allowedCpus } from './allowed-cpus.ts'
import { writeJob } from './job-disk.ts'
import { usualMapCount } from './map-count.ts'
import { type BootOptions, type ReadyVm, startVm } from './ready-vm.ts'
import type { Driver, VmShape } from './vm.ts'

/** Everything a guest handed out, whole and with its digests checked. */
export interface GuestOutput {
  hello: Hello
  items: Map<string, Buffer>
  bootMilliseconds: number
  totalMilliseconds: number
}

export interface GuestJob {
  plan: GuestPlan
  files: { filename: string; path: string; size: number }[]
  /** Ceiling from GO to BYE, in native seconds. */
  wallSeconds: number
  /** Where the guest's clock begins, in milliseconds since 1970. */
  clockMs: number
  onEvent?: (event: GuestEvent) => void
  signal?: AbortSignal
}

/**
 * Gives a waiting VM its job and ends it. Whatever happens, no process and no file of the VM is left when this returns
 * or throws.
 * @throws PytiError see `GuestSession`; also `host-out-of-memory`, `job-too-large`, `host-out-of-disk`, `host-disk-unusable`
 */
export async function runJobIn(ready: ReadyVm, slowness: number, job: GuestJob): Promise<GuestOutput> {
  const started = performance.now()
  const { session, hello, bootMilliseconds } = ready
  try {
    const written = await writeJob(ready.jobDisk, job.plan, job.files, job.signal)
    const items = await session.run(written, {
      wallMs: job.wallSeconds * 1000 * slowness,
      clockMs: job.clockMs,
      outputDisk: ready.outputDisk,
      ...(job.onEvent && { onEvent: job.onEvent }),
      ...(job.signal && { signal: job.signal }),
    })
    if (ready.vm.wasDenied?.()) throw deniedMemory()
    return {
      hello,
      items,
      bootMilliseconds,
      totalMilliseconds: bootMilliseconds + Math.round(performance.now() - started),
    }
  } catch (error) {
    job.signal?.throwIfAborted()
    if (ready.vm.wasDenied?.()) throw deniedMemory(error)
    throw (await hostDiskTrouble(error, dirname(ready.jobDisk))) ?? error
  } finally {
    await ready.end()
  }
}

function deniedMemory(cause?: unknown): PytiError {
  return new PytiError('host-out-of-memory', 'the host refused the VM memory it was promised', {
    hint: `allow processes more mappings: sysctl vm.max_map_count=${usualMapCount}`,
    cause,
  })
}

/**
 * A guest whose output disk the host cannot hold breaks off as one does whose package broke it: then what is left on the host's
 * disk tells them apart.
 */
async function hostDiskTrouble(error: unknown, folder: string): Promise<PytiError | undefined> {
  const isGuests = error instanceof PytiError && error.details.stage !== undefined
  return diskTrouble(error) ?? (isGuests ? lackOfRoom([folder], limits.guestOutputBytes) : undefined)
}

/** One job in one VM of its own, from start to end. @throws PytiError as `startVm` and `runJobIn` */
export async function runGuest(
  run: GuestJob & VmShape & Omit<BootOptions, 'cpu'> & { driver: Driver; cpu?: number },
): Promise<GuestOutput> {
  const { driver, image, memoryMiB, diskMiB, cpu = allowedCpus()[0] ?? 0 } = run
  const ready = await startVm(driver, { image, memoryMiB, diskMiB }, { ...run, cpu })
  return runJobIn(ready, driver.slowness, run)
}
