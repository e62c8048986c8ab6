import { takeName } from './machine-lock.ts'

export interface CpuSlot {
  cpu: number
  release(): Promise<void>
}

const retryMs = 100
/** So often a CPU must be found free before it counts as nobody's; those who wait look as often. */
const idleLooks = 4

/**
 * Waits for a CPU that no other VM of this machine is pinned to. Two VMs on one CPU are no faster than one after the
 * other, but both take twice as long, and then honest volunteers differ about what ran into its time limit.
 */
export async function takeCpu(cpus: readonly number[], signal?: AbortSignal): Promise<CpuSlot> {
  for (;;) {
    signal?.throwIfAborted()
    const free = await firstFree(cpus)
    if (free) return free
    await new Promise(resolve => setTimeout(resolve, retryMs))
  }
}

/** As `takeCpu`, for work that can wait: whoever waits in `takeCpu`, in any process, goes first. */
export async function takeIdleCpu(cpus: readonly number[], signal?: AbortSignal): Promise<CpuSlot> {
  for (let looks = 0; ; ) {
    signal?.throwIfAborted()
    const free = await firstFree(cpus)
    looks = free ? looks + 1 : 0
    if (free && looks > idleLooks) return free
    await free?.release()
    await new Promise(resolve => setTimeout(resolve, retryMs))
  }
}

/** Does work that can wait on a CPU of its own, and gives it back. */
export async function onIdleCpu<T>(
  cpus: readonly number[],
  work: (cpu: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const slot = await takeIdleCpu(cpus, signal)
  try {
    return await work(slot.cpu)
  } finally {
    await slot.release()
  }
}

async function firstFree(cpus: readonly number[]): Promise<CpuSlot | undefined> {
  for (const cpu of cpus) {
    const slot = await tryCpu(cpu)
    if (slot) return slot
  }
  return undefined
}

async function tryCpu(cpu: number): Promise<CpuSlot | undefined> {
  const release = await takeName(`cpu-${cpu}`)
  return release && { cpu, release }
}
