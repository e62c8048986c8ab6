import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { processTree } from '../src/sandbox/process-tree.ts'

export interface IdleCost {
  processes: number
  /** Proportional set size of all processes (proc(5)): shared pages are counted once over all that share them. */
  megabytes: number
  /** Of one CPU. */
  cpuPercent: number
}

/** Linux counts CPU time for user space in hundredths of a second on every architecture (USER_HZ, proc(5)). */
const ticksPerSecond = 100

/** What a waiting VM takes of the host, watched for some seconds. */
export async function idleCost(pid: number, seconds: number, signal: AbortSignal): Promise<IdleCost> {
  const before = await cpuTicks(pid)
  const started = performance.now()
  await sleep(seconds * 1000, undefined, { signal })
  const ticks = (await cpuTicks(pid)) - before
  const elapsed = (performance.now() - started) / 1000
  const tree = await processTree(pid)
  const sizes = await Promise.all(tree.map(pssBytes))
  return {
    processes: tree.length,
    megabytes: sizes.reduce((sum, size) => sum + size, 0) / 1e6,
    cpuPercent: ((ticks / ticksPerSecond) * 100) / elapsed,
  }
}

async function cpuTicks(root: number): Promise<number> {
  let sum = 0
  for (const pid of await processTree(root)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // utime and stime, fields 14 and 15 counted from the process id.
    sum += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  }
  return sum
}

async function pssBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
}
