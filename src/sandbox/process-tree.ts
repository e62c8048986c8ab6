import { readdir, readFile } from 'node:fs/promises'
import { runCommand } from '../exec.ts'

/** A process and all that descend from it, parents first; what ends meanwhile is left out. */
export async function processTree(root: number): Promise<number[]> {
  const children = new Map<number, number[]>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    // `PID (NAME) STATE PPID ...`, and the name may hold anything (proc(5)).
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    if (parent > 0) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [root]
  for (let index = 0; index < found.length; index++) found.push(...(children.get(found[index] ?? 0) ?? []))
  return found
}

/** Pins a process, its threads and its descendants to another CPU. What they start later follows them. */
export async function moveToCpu(root: number, cpu: number): Promise<void> {
  for (const pid of await processTree(root))
    await runCommand(['taskset', '--all-tasks', '--cpu-list', '--pid', String(cpu), String(pid)], {
      timeoutMs: 10_000,
    }).catch(() => {}) // it has ended
}
