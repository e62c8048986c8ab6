import { takeName } from './machine-lock.ts'

export interface CpuSlot {
  cpu: number
  release(): Promise<void>
}

const retryMs = 100

/**
 * Waits for a CPU that no other VM of this machine is pinned to. Two VMs on one CPU are no faster than one after the
 * other, but both take twice as long, and then honest volunteers differ about what ran into its time limit.
 */
export async function takeCpu(cpus: readonly number[], signal?: AbortSignal): Promise<CpuSlot> {
  for (;;) {
    signal?.throwIfAborted()
    for (const cpu of cpus) {
      const release = await takeName(`cpu-${cpu}`)
      if (release) return { cpu, release }
    }
    await new Promise(resolve => setTimeout(resolve, retryMs))
  }
}
