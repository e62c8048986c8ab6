import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { PytiError } from '../errors.ts'
import type { GuestEvent, GuestPlan } from '../wire/guest.ts'
import type { GuestOutput } from './guest-session.ts'
import { runSession } from './guest-session.ts'
import type { Image } from './image/store.ts'
import { writeJobDisk } from './job-disk.ts'
import type { Driver } from './vm.ts'
import { makeVmFolder } from './vm-folder.ts'

/** A guest that has said nothing for this long is not going to; native seconds, scaled by the backend. */
const bootMs = 20_000

export interface GuestRun {
  driver: Driver
  image: Image
  plan: GuestPlan
  files: { filename: string; path: string; size: number }[]
  memoryMiB: number
  diskMiB: number
  wallSeconds: number
  /** Where VM folders live: traversable by other users, as root's VMs run under their own uid. */
  runDir: string
  cpu?: number
  onEvent?: (event: GuestEvent) => void
  onStart?: (vm: { pid: number; backend: string }) => void
  signal?: AbortSignal
}

/**
 * One job in one fresh VM: folder, job disk, boot, session, end. Whatever happens, no process and no file of the VM is
 * left when this returns or throws.
 * @throws PytiError see `runSession`; also `vm-unavailable`, `host-out-of-disk`
 */
export async function runGuest(run: GuestRun): Promise<GuestOutput> {
  const folder = await makeVmFolder(run.runDir)
  try {
    const disk = await writeJobDisk(join(folder.path, 'job'), run.plan, run.files, run.signal)
    await folder.give(disk.path)
    const vm = await run.driver.start({
      image: run.image,
      folder: folder.path,
      jobDisk: disk.path,
      memoryMiB: run.memoryMiB,
      diskMiB: run.diskMiB,
      cpu: run.cpu ?? randomInt(availableParallelism()),
      ...(folder.uid !== undefined && { uid: folder.uid }),
    })
    try {
      run.onStart?.({ pid: vm.pid, backend: vm.backend })
      return await runSession(vm, disk, {
        bootMs: bootMs * run.driver.slowness,
        wallMs: run.wallSeconds * 1000 * run.driver.slowness,
        wallClock: () => Date.now(),
        ...(run.onEvent && { onEvent: run.onEvent }),
        ...(run.signal && { signal: run.signal }),
      })
    } finally {
      await vm.kill()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new PytiError('host-out-of-disk', `no space left for the VM's files in ${run.runDir}`, {
        hint: 'free some space, or set PYTI_HOME to a larger disk',
        cause: error,
      })
    throw error
  } finally {
    await folder.remove()
  }
}
