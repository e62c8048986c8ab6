import { createServer, type Server } from 'node:net'

export interface CpuSlot {
  cpu: number
  release(): Promise<void>
}

const retryMs = 100

/**
 * Waits for a CPU that no other VM of this machine is pinned to. Two VMs on one CPU are no faster than one after the
 * other, but both take twice as long, and then honest volunteers differ about what ran into its time limit.
 *
 * A CPU is taken by listening on an abstract socket of its name (unix(7)): the kernel lets one process have it, and gives
 * it back when that process dies in whatever way.
 */
export async function takeCpu(cpus: readonly number[], signal?: AbortSignal): Promise<CpuSlot> {
  for (;;) {
    signal?.throwIfAborted()
    for (const cpu of cpus) {
      const server = await listen(`\0pyti-cpu-${cpu}`)
      if (server) return { cpu, release: () => new Promise(resolve => server.close(() => resolve())) }
    }
    await new Promise(resolve => setTimeout(resolve, retryMs))
  }
}

/** @returns undefined when somebody else has the name */
function listen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(name, () => resolve(server))
    server.unref()
  })
}
