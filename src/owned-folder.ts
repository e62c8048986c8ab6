import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

type Kind = 'vm' | 'job' | 'network' | 'build' | 'fetch' | 'part'

const owned = /^(?:vm|job|network|build|fetch|part)-(\d+)-(?:(\d+)-)?/

/** A new folder, named after this process so that a later one can sweep what a crash left. */
export async function makeOwnedFolder(parent: string, kind: Kind): Promise<string> {
  return mkdtemp(join(parent, `${kind}-${process.pid}-${(await startOf(process.pid)) ?? 0}-`))
}

/** Removes folders of `makeOwnedFolder` whose process is gone. @returns how many */
export async function sweepStaleFolders(parent: string): Promise<number> {
  let swept = 0
  for (const name of await readdir(parent).catch(() => [])) {
    const [, pid, start] = owned.exec(name) ?? []
    if (pid === undefined || (await isOwner(Number(pid), Number(start ?? 0)))) continue
    await rm(join(parent, name), { recursive: true, force: true })
    swept++
  }
  return swept
}

/** In a container the next process often has the id of the one that was killed: the time of its start tells them apart. */
async function isOwner(pid: number, start: number): Promise<boolean> {
  if (!isAlive(pid)) return false
  const found = await startOf(pid)
  return start === 0 || found === undefined || found === start
}

/** Clock ticks from the machine's start to that of a process; a change of the clock does not move it. */
async function startOf(pid: number): Promise<number | undefined> {
  // `PID (NAME) STATE PPID ...`, and the name may hold anything (proc(5)); the start is field 22.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  return Number.isSafeInteger(ticks) && ticks > 0 ? ticks : undefined
}

/** Whether a process exists, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
