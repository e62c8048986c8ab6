import { spawn } from 'node:child_process'
import type { Trail } from './hostile-traces.ts'

/** Enough for 300 guest processes, the jail and its launcher. */
export const mostHostProcesses = 320
/** Guards only against a host that stands still; the figure itself is printed. */
export const slowestProgramMs = 2_000

const betweenMs = 10

export interface Pressure {
  /** Most processes the VM had on the host at any look. */
  processes: number
  /** How long the host took to run `/bin/true`: 99th percentile and slowest, in milliseconds. */
  p99: number
  slowest: number
  runs: number
}

/** Looks again and again at what a VM does to the host, until told to stop. */
export function watchHost(trail: Trail): { stop(): Promise<Pressure> } {
  const times: number[] = []
  let processes = 0
  let stopped = false
  const watching = (async () => {
    while (!stopped) {
      times.push(await timeOfTrue())
      processes = Math.max(processes, await trail.sample())
      await new Promise(resolve => setTimeout(resolve, betweenMs))
    }
  })()
  return {
    async stop() {
      stopped = true
      await watching
      const sorted = times.sort((left, right) => left - right)
      const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
      return { processes, p99: at(0.99), slowest: at(1), runs: sorted.length }
    },
  }
}

export function pressureText({ processes, p99, slowest, runs }: Pressure): string {
  return `${processes} host processes at most; /bin/true p99 ${p99.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms of ${runs}`
}

function timeOfTrue(): Promise<number> {
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/true', { stdio: 'ignore' })
    child.once('error', reject)
    child.once('close', () => resolve(performance.now() - started))
  })
}
