import type { GuestEvent, GuestPlan, Hello } from '../wire/guest.ts'
import { allowedCpus } from './allowed-cpus.ts'
import { writeJob } from './job-disk.ts'
import { asHostTrouble, type BootOptions, type ReadyVm, startVm } from './ready-vm.ts'
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
 * @throws PytiError see `GuestSession`; also `job-too-large`, `host-out-of-disk`
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
    return {
      hello,
      items,
      bootMilliseconds,
      totalMilliseconds: bootMilliseconds + Math.round(performance.now() - started),
    }
  } catch (error) {
    job.signal?.throwIfAborted()
    throw asHostTrouble(error, ready.jobDisk)
  } finally {
    await ready.end()
  }
}

/** One job in one VM of its own, from start to end. @throws PytiError as `startVm` and `runJobIn` */
export async function runGuest(
  run: GuestJob & VmShape & Omit<BootOptions, 'cpu'> & { driver: Driver; cpu?: number },
): Promise<GuestOutput> {
  const { driver, image, memoryMiB, diskMiB, cpu = allowedCpus()[0] ?? 0 } = run
  const ready = await startVm(driver, { image, memoryMiB, diskMiB }, { ...run, cpu })
  return runJobIn(ready, driver.slowness, run)
}
