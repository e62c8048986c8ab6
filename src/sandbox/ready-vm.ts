import { join } from 'node:path'
import { diskTrouble } from '../host-disk.ts'
import type { Hello } from '../wire/guest.ts'
import { limits } from '../wire/limits.ts'
import { createDisk } from './disks.ts'
import { GuestSession } from './guest-session.ts'
import type { Driver, Vm, VmShape } from './vm.ts'
import { makeVmFolder } from './vm-folder.ts'

/** A guest that has said nothing for this long is not going to; native milliseconds, scaled by the backend. */
const bootMs = 20_000

/** A VM whose guest waits for its job. */
export interface ReadyVm {
  vm: Vm
  session: GuestSession
  hello: Hello
  shape: VmShape
  jobDisk: string
  outputDisk: string
  /** Start of the process to the guest's first word. */
  bootMilliseconds: number
  /** Ends it and removes its files; resolves when nothing of it is left. */
  end(): Promise<void>
}

export interface BootOptions {
  /** Where VM folders live: traversable by other users, as root's VMs run under their own uid. */
  runDir: string
  cpu: number
  /** See `VmOptions.templates`. */
  templates?: string
  onStart?: (vm: Vm) => void
  signal?: AbortSignal
}

/**
 * Starts one VM and waits until its guest is up. What fails on the way leaves no process and no file.
 * @throws PytiError as `GuestSession`; also `vm-unavailable`, `host-out-of-disk`, `host-disk-unusable`
 */
export async function startVm(driver: Driver, shape: VmShape, options: BootOptions): Promise<ReadyVm> {
  const { runDir, cpu, templates, signal } = options
  const folder = await makeVmFolder(runDir)
  let vm: Vm | undefined
  const end = async () => {
    await vm?.kill()
    await folder.remove()
  }
  try {
    const jobDisk = join(folder.path, 'job')
    const outputDisk = join(folder.path, 'output')
    await createDisk(jobDisk, limits.jobDiskBytes)
    await createDisk(outputDisk, limits.guestOutputBytes)
    await folder.give(jobDisk)
    await folder.give(outputDisk)
    signal?.throwIfAborted()
    const started = performance.now()
    vm = await driver.start({
      ...shape,
      folder: folder.path,
      jobDisk,
      outputDisk,
      cpu,
      ...(folder.uid !== undefined && { uid: folder.uid }),
      ...(templates !== undefined && { templates }),
    })
    options.onStart?.(vm)
    const session = new GuestSession(vm)
    const hello = await session.ready(bootMs * driver.slowness, signal)
    const bootMilliseconds = Math.round(performance.now() - started)
    return { vm, session, hello, shape, jobDisk, outputDisk, bootMilliseconds, end }
  } catch (error) {
    await end()
    throw diskTrouble(error) ?? error
  }
}
